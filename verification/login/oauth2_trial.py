"""A trial of OAuth2 that goes to the provider and back, and logs nobody in."""

from __future__ import annotations

import json
from typing import Any

from allauth.socialaccount.models import SocialApp
from cryptography.fernet import InvalidToken
from django import forms
from django.contrib import admin
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from authconfig.choices import Event, Method
from authconfig.fields import decrypted, encrypted
from authconfig.models import AuthenticationSettings
from authconfig.oauth2 import identities
from authconfig.oauth2.adapter import TRIAL, app_of
from authconfig.oauth2.faults import ProviderError, ProviderFault
from authconfig.oauth2.identities import (
    ProviderClaims,
    identity_of,
    is_same_name,
    mapped_name,
)
from authconfig.oauth2.remedies import REMEDIES
from authconfig.users import audit
from authconfig.users.audit import FIELDS_OF, origin_of, proof_of
from authconfig.users.models import PbxUser
from verification.sessions.reauthentication import reauthentication_required

KEPT_KEY = "oauth2_test"
KEPT_FIELDS = ("oauth2_provider_name", *FIELDS_OF[Method.OAUTH2])
SETTINGS_PAGE = "admin:authconfig_authenticationsettings_changelist"
OFFER_SALT = "pbxsite.roundtrip"
OFFER_TTL_SECONDS = 600
LONGEST_VALUE = 300
OF_THE_PROTOCOL = ("nonce", "at_hash", "c_hash", "s_hash", "exp", "iat", "nbf", "jti")


class OfferForm(forms.Form):
    offer = forms.CharField()

    def clean_offer(self) -> list[Any]:
        sent = self.cleaned_data["offer"]
        try:
            facts: list[Any] = signing.loads(
                sent, salt=OFFER_SALT, max_age=OFFER_TTL_SECONDS
            )
        except signing.BadSignature as error:
            raise forms.ValidationError("offer") from error
        return facts


def may_try(request: HttpRequest) -> bool:
    right = "authconfig.change_authenticationsettings"
    return admin.site.has_permission(request) and request.user.has_perm(right)


def user_of(request: HttpRequest) -> PbxUser:
    assert isinstance(request.user, PbxUser)
    return request.user


def keep(request: HttpRequest, new_rules: AuthenticationSettings) -> None:
    """Keep the rules of a trial in the session, encrypted: a secret is among them."""
    values = {name: getattr(new_rules, name) for name in KEPT_FIELDS}
    request.session[KEPT_KEY] = {"sealed": encrypted(json.dumps(values))}


def _kept(request: HttpRequest) -> AuthenticationSettings | None:
    kept = request.session.get(KEPT_KEY)
    if not kept or not may_try(request):
        return None
    try:
        return AuthenticationSettings(**json.loads(decrypted(kept["sealed"])))
    except InvalidToken:
        return None


def apps(request: HttpRequest) -> list[SocialApp]:
    rules = _kept(request)
    return [app_of(rules, TRIAL)] if rules else []


def is_answer(request: HttpRequest) -> bool:
    state = request.GET.get("state", "")
    begun = request.session.get(KEPT_KEY, {}).get("state")
    return begun == state and _kept(request) is not None


def ended(request: HttpRequest, claims: ProviderClaims) -> HttpResponse:
    """Say whom these claims would log in; nobody is logged in, nothing is bound."""
    rules = _taken(request)
    try:
        user = identities.login_user(claims, rules)
    except ProviderError as error:
        _record(request, _asked(rules), str(error))
        offer = _offer(user_of(request), error, claims, rules)
        return _failure(request, error, claims=_shown(claims), offer=offer)
    proof = proof_of(rules, Method.OAUTH2)
    _record(request, _asked(rules), _account(claims), user=user, proof=proof)
    bound = identities.bound_user(*identity_of(claims)) is not None
    return page(request, claims=_shown(claims), mapped=user, bound=bound)


def failed(request: HttpRequest, error: ProviderError) -> HttpResponse:
    _record(request, _asked(_taken(request)), str(error))
    return _failure(request, error)


def _taken(request: HttpRequest) -> AuthenticationSettings:
    rules = _kept(request)
    assert rules
    del request.session[KEPT_KEY]
    return rules


def _failure(
    request: HttpRequest, error: ProviderError, **context: Any
) -> HttpResponse:
    remedy = REMEDIES.get(error.fault, "")
    return page(
        request, error=error.meaning, words=error.words, remedy=remedy, **context
    )


def page(request: HttpRequest, **context: Any) -> HttpResponse:
    return render(request, "account/oauth2_round_trip.html", context)


def _asked(rules: AuthenticationSettings) -> str:
    return f"{rules.oauth2_well_known_url} {rules.oauth2_client_id}"


def _account(claims: ProviderClaims) -> str:
    issuer, subject = identity_of(claims)
    return f"{subject} ({issuer})"


def _shown(claims: ProviderClaims) -> list[tuple[str, str]]:
    """Return what the provider told of the user; the ID token takes precedence."""
    merged = {**claims["userinfo"], **claims["id_token"]}
    return [
        (name[:LONGEST_VALUE], _plain(value)[:LONGEST_VALUE])
        for name, value in sorted(merged.items())
        if name not in OF_THE_PROTOCOL
    ]


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _record(
    request: HttpRequest,
    asked: str,
    words: str,
    *,
    user: PbxUser | None = None,
    proof: str = "",
) -> None:
    audit.record(
        Event.OAUTH2_TESTED,
        user=user,
        actor=user_of(request),
        origin=origin_of(request),
        method=Method.OAUTH2,
        detail=f"{asked}: {words}",
        proof=proof,
    )


def _offer(
    user: PbxUser,
    error: ProviderError,
    claims: ProviderClaims,
    rules: AuthenticationSettings,
) -> str:
    """Return what the button "Connect" sends back, if the account is the user's own.

    No login binds an administrator's account, so administrators do it here themselves.
    """
    if error.fault is not ProviderFault.ADMINISTRATOR:
        return ""
    name = mapped_name(claims, rules)
    if not is_same_name(name, user.name):
        return ""
    proof = proof_of(rules, Method.OAUTH2)
    facts = (user.pk, identity_of(claims), name, _asked(rules), proof)
    return signing.dumps(facts, salt=OFFER_SALT)


def connect(request: HttpRequest) -> HttpResponse:
    """Bind the account that the user has just shown; the trial has succeeded then."""
    if not may_try(request):
        raise PermissionDenied
    # Users who had to log in again come back by a GET, without what they had sent.
    return _connect(request) if request.method == "POST" else redirect(SETTINGS_PAGE)


@reauthentication_required
def _connect(request: HttpRequest) -> HttpResponse:
    user, form = user_of(request), OfferForm(request.POST)
    if not form.is_valid() or form.cleaned_data["offer"][0] != user.pk:
        return _failure(request, ProviderError(ProviderFault.NOT_ASKED))
    _pk, (issuer, subject), name, asked, proof = form.cleaned_data["offer"]
    try:
        identities.connect(user, issuer, subject, name, origin=origin_of(request))
    except ProviderError as error:
        return _failure(request, error)
    _record(request, asked, f"{subject} ({issuer})", user=user, proof=proof)
    return page(request, mapped=user, bound=True)
