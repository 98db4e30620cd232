"""What is known of users, as the policy asks for it: of all of them in one question.

The database packs the facts of a user into a number, a bit for each. Users of the same
number get the same answer, so the policy is asked once for each number, not for each
user, and no rule of it is written a second time in SQL.
"""

from __future__ import annotations

from functools import reduce
from operator import add, or_
from typing import Any

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db.models import (
    Case,
    Count,
    Exists,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)

from authconfig.choices import Event, Method
from authconfig.models import AuthenticationSettings
from authconfig.names import domain_key, name_key
from authconfig.oauth2.discovery import issuer_of
from authconfig.oauth2.models import ProviderIdentity
from authconfig.policy import UserFacts
from authconfig.users.models import AuditEvent, PbxUser
from verification.sessions.choices import FactorApprover, Guessed, Source
from verification.sessions.lifecycle import approving_sessions
from verification.sessions.models import FailureCount

# What the annotation of a user is called.
FACTS = "facts"
BITS = {name: 1 << number for number, name in enumerate(UserFacts._fields)}


def facts_of(number: int) -> UserFacts:
    return UserFacts(*(bool(number & bit) for bit in BITS.values()))


def with_facts(
    users: QuerySet[PbxUser], rules: AuthenticationSettings
) -> QuerySet[PbxUser]:
    bits = [
        Case(When(condition, then=Value(BITS[name])), default=Value(0))
        for name, condition in _conditions(rules).items()
    ]
    packed: Any = reduce(add, bits)
    return users.annotate(**{FACTS: packed})


def with_windows_login(users: QuerySet[PbxUser]) -> QuerySet[PbxUser]:
    """Add when each user last logged in with a Windows password, as far as is kept."""
    own = AuditEvent.objects.filter(
        user=OuterRef("pk"), event=Event.LOGIN, method=Method.NETLOGON
    )
    newest = own.order_by("-at").values("at")[:1]
    return users.annotate(windows_login=Subquery(newest))


def counts_by_facts(
    users: QuerySet[PbxUser], rules: AuthenticationSettings
) -> dict[int, int]:
    """Return how many users there are of each number."""
    found = with_facts(users, rules).order_by().values_list(FACTS)
    return dict(found.annotate(Count("pk")))


def _conditions(rules: AuthenticationSettings) -> dict[str, Q]:
    factors = Authenticator.objects.exclude(type=Authenticator.Type.RECOVERY_CODES)
    counting = factors.filter(binding__approver__in=FactorApprover.values)
    sessions = approving_sessions()
    return {
        "is_active": Q(is_active=True),
        "is_administrator": Q(is_staff=True) | Q(is_superuser=True),
        "is_found": ~_other_name(rules),
        "has_password": _has_password(),
        "has_account": _among(_accounts(rules)),
        "has_email": ~Q(email=""),
        # Only an approval asks for one, and of sessions there are more than of users.
        "has_session": _among(sessions) if rules.two_factor else Q(pk__in=[]),
        "has_factor": _among(factors),
        "has_counting_factor": _among(counting),
        "is_used_up": _among(_used_up()),
        "is_from_mailbox": Q(is_from_mailbox=True),
    }


def _has_password() -> Q:
    """As Django's `is_password_usable`: an unusable one begins with this mark."""
    mark = UNUSABLE_PASSWORD_PREFIX
    return ~Q(password="") & ~Q(password__startswith=mark)


def _among(rows: QuerySet[Any, Any]) -> Q:
    """Let the database choose: a look for each user of a page, or all rows at once."""
    return Q(Exists(rows.filter(user=OuterRef("pk"))))


def _accounts(rules: AuthenticationSettings) -> QuerySet[ProviderIdentity]:
    """Return the accounts at the present provider, with a slash at its end or not."""
    issuer = issuer_of(rules.oauth2_well_known_url)
    return ProviderIdentity.objects.filter(issuer__in=(issuer, f"{issuer}/"))


def _used_up() -> QuerySet[FailureCount]:
    return FailureCount.objects.filter(
        guessed=Guessed.PASSWORD,
        source=Source.ELSEWHERE,
        in_row__gte=settings.LIMIT_FAILURES_IN_ROW,
    )


def _other_name(rules: AuthenticationSettings) -> Q:
    r"""Does the login form take `user@domain` or `DOMAIN\user` for another user?"""
    domains = [d for d in (rules.pbx_domain, rules.netlogon_domain) if domain_key(d)]
    ends = {f"@{each}" for d in domains for each in (name_key(d), domain_key(d))}
    other = [Q(name_key__endswith=end) & ~Q(name_key=end) for end in sorted(ends)]
    if rules.netbios_name:
        other.append(Q(name_key__startswith=f"{name_key(rules.netbios_name)}\\"))
    return reduce(or_, other, Q(pk__in=[]))
