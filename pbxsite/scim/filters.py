"""SCIM's filters as questions to the database."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import and_, or_
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from scim2_models import ScimFilter, TooManyException
from scim2_models.path import (
    CompareOperator,
    Comparison,
    FilterVisitor,
    LogicalExpr,
    LogicalOperator,
    Not,
    Present,
    ValuePath,
)

from authconfig.sync.models import ScimUser
from pbxsite.scim.resources import user_of

# What the database cannot be asked is looked for among so many users.
MOST_LOOKED_AT = 2000
NOBODY = Q(pk__in=[])
LOOKUPS = {
    CompareOperator.eq: "exact",
    CompareOperator.co: "contains",
    CompareOperator.sw: "startswith",
    CompareOperator.ew: "endswith",
}


class NotAskedError(Exception):
    """The database cannot answer this part of a filter."""


class Question(FilterVisitor[Q]):
    """Asks by the columns; anything else raises NotAskedError."""

    def visit_comparison(self, node: Comparison) -> Q:
        if node.attr_path.sub_attr or node.op not in LOOKUPS:
            raise NotAskedError
        name, value = node.attr_path.attr.lower(), node.value
        if name == "active" and isinstance(value, bool) and node.op == "eq":
            return Q(is_active=value) & ~Q(resource__has_key="active")
        if not isinstance(value, str) or "\0" in value:
            raise NotAskedError
        return self._of_text(name, value, node.op)

    def _of_text(self, name: str, value: str, op: CompareOperator) -> Q:
        if name == "username":
            return Q(**{f"user_key__{LOOKUPS[op]}": value.casefold()})
        if name == "externalid":
            return Q(**{f"external_id__{LOOKUPS[op]}": value})
        if name == "id" and op == CompareOperator.eq:
            return Q(public_id=value) if _is_uuid(value) else NOBODY
        raise NotAskedError

    def visit_logical_expr(self, node: LogicalExpr) -> Q:
        join = and_ if node.op == LogicalOperator.and_ else or_
        return reduce(join, map(self.visit, node.terms))

    def visit_not(self, node: Not) -> Q:
        return ~self.visit(node.expr)

    def visit_present(self, node: Present) -> Q:
        raise NotAskedError

    def visit_value_path(self, node: ValuePath) -> Q:
        raise NotAskedError


def matching(
    rows: QuerySet[ScimUser], wanted: ScimFilter[Any] | None
) -> QuerySet[ScimUser] | Sequence[ScimUser]:
    """Return the rows that match; TooManyException where nobody can look at all."""
    if wanted is None:
        return rows
    try:
        return rows.filter(Question().visit(wanted.ast))
    except NotAskedError:
        return _looked_at(rows, wanted)


def _looked_at(rows: QuerySet[ScimUser], wanted: ScimFilter[Any]) -> Sequence[ScimUser]:
    some = list(rows[: MOST_LOOKED_AT + 1])
    if len(some) > MOST_LOOKED_AT:
        raise TooManyException(
            detail="Filter by userName, externalId, id or active: there are more than"
            f" {MOST_LOOKED_AT} users"
        )
    return [row for row in some if wanted.match(user_of(row))]


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
