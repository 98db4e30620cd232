"""allauth's forms for second factors, with our limits and an audit of failures."""

from __future__ import annotations

from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.core import context
from allauth.core.ratelimit import clear, consume
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.forms import (
    AuthenticateWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from allauth.mfa.webauthn.internal import auth as webauthn
from django.core.exceptions import ValidationError

from authconfig.choices import Event
from authconfig.clients.choices import Kind
from authconfig.users import audit
from authconfig.users.audit import origin_of
from authconfig.users.models import PbxUser
from verification.approval.flows import is_known
from verification.sessions.choices import Approver
from verification.sessions.factor_mails import tell_of_wrong_codes
from verification.sessions.factors import proving

LIMIT = "login_failed"


class CodeMixin:
    """Limits guesses at a user's codes as failed logins are limited."""

    user: PbxUser
    authenticator: Authenticator
    cleaned_data: dict[str, str]

    def clean_code(self) -> str:
        code, key = self.cleaned_data["code"], _limit_key(self.user, "code")
        if not consume(context.request, action=LIMIT, key=key):
            raise get_account_adapter().validation_error("too_many_login_attempts")
        found = _matching(self.user, code)
        if found is None:
            _record_failure(self.user)
            raise get_adapter().validation_error("incorrect_code")
        # Else a stranger's own app would give them new guesses at the owner's codes.
        if _is_proof(self.user, found):
            clear(context.request, action=LIMIT, key=key)
        self.authenticator = found
        return code


class CodeForm(CodeMixin, AuthenticateForm):
    pass


class CodeAgainForm(CodeMixin, ReauthenticateForm):
    def clean_code(self) -> str:
        code = super().clean_code()
        _refuse_unapproved(self.user, self.authenticator)
        return code


class PasskeyMixin:
    """Limits no tries: nobody guesses what a passkey signs."""

    user: PbxUser
    cleaned_data: dict[str, object]

    def clean_credential(self) -> Authenticator:
        try:
            return _shown_passkey(self.user, self.cleaned_data["credential"])
        except ValidationError:
            # The limit keeps the audit log small where somebody fails on and on.
            key = _limit_key(self.user, "passkey")
            if consume(context.request, action=LIMIT, key=key):
                _record_failure(self.user)
            raise


class PasskeyForm(PasskeyMixin, AuthenticateWebAuthnForm):
    @property
    def authenticator(self) -> Authenticator:
        shown: Authenticator = self.cleaned_data["credential"]
        return shown


class PasskeyAgainForm(PasskeyMixin, ReauthenticateWebAuthnForm):
    def clean_credential(self) -> Authenticator:
        shown = super().clean_credential()
        _refuse_unapproved(self.user, shown)
        return shown


def _refuse_unapproved(user: PbxUser, factor: Authenticator) -> None:
    """Somebody who knew the password may have added it."""
    if not _is_proof(user, factor):
        raise get_adapter().validation_error("not_approved")


def _is_proof(user: PbxUser, factor: Authenticator) -> bool:
    return bool(proving(user).filter(pk=factor.pk).exists())


def _limit_key(user: PbxUser, what: str) -> str:
    """Count apart where a second factor of the user's was right before.

    A session of myPBX makes no address known: the password alone begins it.
    """
    address = get_account_adapter().get_client_ip(context.request)
    place = address if is_known(user, address) else "elsewhere"
    return f"factor:{what}:{user.pk}:{place}"


def _matching(user: PbxUser, code: str) -> Authenticator | None:
    codes = Authenticator.objects.filter(user=user).exclude(
        type=Authenticator.Type.WEBAUTHN
    )
    found = (each for each in codes if each.wrap().validate_code(code))
    return next(found, None)


def _shown_passkey(user: PbxUser, credential: object) -> Authenticator:
    try:
        webauthn.parse_authentication_response(credential)
    except (AttributeError, LookupError) as error:
        # allauth catches only some of the errors that nonsense causes.
        raise get_adapter().validation_error("incorrect_code") from error
    shown: Authenticator = webauthn.complete_authentication(user, credential)
    return shown


def _record_failure(user: PbxUser) -> None:
    origin = origin_of(context.request)
    audit.record(
        Event.LOGIN_FAILED,
        user=user,
        origin=origin,
        kind=Kind.MYAPPS,
        detail=Approver.FACTOR,
    )
    # In a session it is no login, and the password was not entered.
    if not context.request.user.is_authenticated:
        tell_of_wrong_codes(user, origin=origin)
