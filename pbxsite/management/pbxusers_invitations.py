"""`manage.py pbxusers invite`: links that set a PBX password, by e-mail."""

from __future__ import annotations

from django.core.exceptions import ValidationError

from authconfig.names import name_key
from authconfig.users.models import PbxUser
from verification.password_links import invitations


def invite(
    names: list[str], *, without_password: bool, dry_run: bool, **_options: object
) -> list[str]:
    """Invite them, and return what to say; ValidationError if nobody is invited."""
    if bool(names) is without_password:
        raise ValidationError("Name the users, or give --without-password.")
    if not invitations.are_possible():
        raise ValidationError(
            "Nobody can be invited: the authentication type has no PBX password, or no"
            " e-mail account is set up. See: manage.py authconfig show"
        )
    users = list(invitations.without_password()) if without_password else _named(names)
    found = invitations.choose(users)
    if not dry_run and found[0]:
        invitations.start(found, actor=None)
    return list(_report(found, dry_run=dry_run))


def _named(names: list[str]) -> list[PbxUser]:
    keys = {name_key(name): name for name in names}
    users = list(PbxUser.objects.filter(name_key__in=keys))
    missing = keys.keys() - {user.name_key for user in users}
    if missing:
        faults = [f"{keys[key]} is no PBX user." for key in sorted(missing)]
        raise ValidationError([*faults, "Nobody was invited."])
    return users


def _report(found: invitations.Chosen, *, dry_run: bool) -> list[str]:
    invited, left_out = found
    done = "would be invited" if dry_run else "invited"
    lines = [f"{user.name}: {done} ({user.email})" for user in invited]
    lines += [f"{user.name}: not invited, {why.label}" for user, why in left_out]
    return [*lines, f"{len(invited)} {done}, {len(left_out)} not"]
