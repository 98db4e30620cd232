"""How a login name that somebody entered becomes the name of a PBX user."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

import idna

# What is shown as nothing (Unicode's Default_Ignorable_Code_Point): copied along from
# messengers and web pages. The two overrides are left, for they reorder what is seen.
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202c\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def name_key(name: str) -> str:
    """Return the form in which login names are compared, and are unique.

    It folds until nothing changes: casefolding can undo the normal form, and the normal
    form can bring up another capital letter or space.
    """
    visible = without_invisible(name)
    folded = unicodedata.normalize("NFKC", visible).casefold().strip()
    return folded if folded == name else name_key(folded)


def without_invisible(name: str) -> str:
    return name if name.isascii() else INVISIBLE.sub("", name)


def domain_key(domain: str) -> str:
    """Return a domain's A-label form, or "" if it is no valid domain.

    A trailing dot makes it invalid: domains decide who logs in, and compare strictly.
    """
    if not domain or domain.endswith("."):
        return ""
    try:
        return idna.encode(domain, uts46=True).decode("ascii").lower()
    except idna.IDNAError:
        return ""


def same_domain(one: str, other: str) -> bool:
    return domain_key(one) != "" and domain_key(one) == domain_key(other)


def typed_name(entered: str, *, domains: Iterable[str], netbios: str) -> str:
    visible = without_invisible(entered)
    return pbx_name(visible, domains=domains, netbios=netbios)


def pbx_name(entered: str, *, domains: Iterable[str] = (), netbios: str = "") -> str:
    r"""Return the PBX user's name for `user`, `user@domain` or `DOMAIN\user`.

    `domains` are those whose members are the PBX's own; the members of any other
    keep their domain, as in the original's example ("No domain configured").
    """
    entered = entered.strip()
    domain, backslash, user = entered.partition("\\")
    if backslash and netbios and name_key(domain) == name_key(netbios):
        return user
    user, at, domain = entered.rpartition("@")
    if at and user and any(same_domain(domain, known) for known in domains if known):
        return user
    return entered
