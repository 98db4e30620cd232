"""The database says of each user what the rest of the site would say of that one."""

from __future__ import annotations

from itertools import repeat

import pytest

from authconfig.models import AuthenticationSettings
from authconfig.names import name_key
from authconfig.oauth2.models import ProviderIdentity
from authconfig.policy import UserFacts
from authconfig.users.models import PbxUser
from pbxsite.administration.entry.facts import FACTS, facts_of, with_facts
from tests.conftest import LINK, PASSWORD, SettingsSetter
from tests.pbxsite.administration.entry.conftest import give_factor, give_session
from verification.sessions.choices import Guessed, Source
from verification.sessions.models import FailureCount

pytestmark = [pytest.mark.django_db, pytest.mark.database]
PROVIDER = "https://login.example/.well-known/openid-configuration"
NAMES = (
    *("anna", "anna@pbx.example", "ANNA@PBX.Example", "anna@münchen.example"),
    *("anna@xn--mnchen-3ya.example", "anna@other.example", "@pbx.example"),
    *("CORP\\anna", "corp\\anna", "other\\anna", "anna@", "a%na@pbx.example"),
)
# Sessions are asked for only where one may have to approve a login.
TWO_FACTOR = {
    "two_factor": True,
    "smtp_server": "mail.example.com",
    "verification_link": LINK,
}


def known(user: PbxUser, rules: AuthenticationSettings | None = None) -> UserFacts:
    users = with_facts(PbxUser.objects.all(), rules or AuthenticationSettings.load())
    return facts_of(getattr(users.get(pk=user.pk), FACTS))


def test_a_user_with_nothing_has_nothing() -> None:
    user = PbxUser.objects.create(name="nobody", password="!none")

    assert known(user) == UserFacts()


def test_a_user_with_everything_has_everything(configure: SettingsSetter) -> None:
    rules = configure(oauth2_well_known_url=PROVIDER, **TWO_FACTOR)
    user = PbxUser.objects.create_superuser("all", PASSWORD, email="all@example.com")
    give_factor(user, "email")
    give_session(user)
    ProviderIdentity.objects.create(
        user=user, issuer="https://login.example", subject="1"
    )
    FailureCount.objects.create(
        user=user, guessed=Guessed.PASSWORD, source=Source.ELSEWHERE, in_row=100
    )

    assert known(user, rules) == UserFacts(*repeat(True, 10))


def test_what_counts_for_others_counts_for_nobody_else(
    configure: SettingsSetter, user: PbxUser
) -> None:
    """Of another provider, of myPBX, at a known address, over, or not approved."""
    configure(oauth2_well_known_url=PROVIDER, **TWO_FACTOR)
    give_factor(user, kind="recovery_codes", approver="email")
    give_session(user, kind="mypbx")
    give_session(user, hours=-1)
    ProviderIdentity.objects.create(user=user, issuer="https://else", subject="1")
    for guessed, source, in_row in (
        (Guessed.PASSWORD, Source.KNOWN, 100),
        (Guessed.APP_CODE, Source.ELSEWHERE, 100),
        (Guessed.PASSWORD, Source.ELSEWHERE, 99),
    ):
        FailureCount.objects.create(
            user=user, guessed=guessed, source=source, in_row=in_row
        )

    assert known(user) == UserFacts(has_password=True, has_email=True)


@pytest.mark.parametrize("domain", ["", "pbx.example", "münchen.example", "%.example"])
@pytest.mark.parametrize("netbios", ["", "CORP"])
def test_the_database_finds_a_name_where_the_login_form_does(
    configure: SettingsSetter, domain: str, netbios: str
) -> None:
    rules = configure(pbx_domain=domain, netlogon_netbios_name=netbios)
    for name in NAMES:
        if not PbxUser.objects.filter(name_key=name_key(name)).exists():
            PbxUser.objects.create(name=name)

    found = {
        user.name: facts_of(getattr(user, FACTS)).is_found
        for user in with_facts(PbxUser.objects.all(), rules)
    }

    assert found == {
        name: name_key(rules.login_name(name)) == name_key(name) for name in found
    }
    assert len(found) == len({name_key(name) for name in NAMES})
