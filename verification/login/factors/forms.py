"""allauth's forms for second factors, with our limits and an audit of failures."""

from __future__ import annotations

from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.core import context
from allauth.core.internal.cryptokit import normalize_user_code
from allauth.core.ratelimit import clear, consume
from allauth.mfa import app_settings
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
from verification.login.authentication import must_wait
from verification.sessions import lifecycle, tries
from verification.sessions.choices import CODE_LIMIT, Approver, Guessed, Source
from verification.sessions.factor_mails import tell_of_wrong_codes
from verification.sessions.factors import proving

LIMIT = "login_failed"


class CodeMixin:
    """Limits guesses at a user's codes as failed logins are limited."""

    user: PbxUser
    authenticator: Authenticator
    cleaned_data: dict[str, str]

    def clean_code(self) -> str:
        code, source = self.cleaned_data["code"], _source_of(self.user)
        key, guessed = _limit_key(self.user, "code", source), guessed_by(code)
        if not consume(context.request, action=LIMIT, key=key):
            raise must_wait(key)
        found = _matching(self.user, code)
        if found is None:
            tries.add_failure(self.user, guessed, source)
            _record_failure(self.user)
            raise get_adapter().validation_error("incorrect_code")
        # Else a stranger's own app would give them new guesses at the owner's codes.
        if _is_proof(self.user, found):
            clear(context.request, action=LIMIT, key=key)
            self.after_right_code(guessed, source)
        self.authenticator = found
        return code

    def after_right_code(self, guessed: Guessed, source: Source) -> None:
        """End the failures in a row; after too many, the login's approval does."""
        if not lifecycle.is_used_up(self.user, guessed, source):
            tries.forget_failures(self.user, [source], [guessed])


class CodeForm(CodeMixin, AuthenticateForm):
    pass


class CodeAgainForm(CodeMixin, ReauthenticateForm):
    def clean_code(self) -> str:
        code = super().clean_code()
        _refuse_unapproved(self.user, self.authenticator)
        return code

    def after_right_code(self, guessed: Guessed, source: Source) -> None:
        """Nobody approves this: only another login helps, or the administrator."""
        if lifecycle.is_used_up(self.user, guessed, source):
            raise get_account_adapter().validation_error("too_many_in_a_row")
        super().after_right_code(guessed, source)


class PasskeyMixin:
    """Limits no tries: nobody guesses what a passkey signs."""

    user: PbxUser
    cleaned_data: dict[str, object]

    def clean_credential(self) -> Authenticator:
        try:
            return _shown_passkey(self.user, self.cleaned_data["credential"])
        except ValidationError:
            # The limit keeps the audit log small where somebody fails on and on.
            key = _limit_key(self.user, "passkey", _source_of(self.user))
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


def guessed_by(code: str) -> Guessed:
    """Tell by its length what a code can be: only recovery codes are longer."""
    is_app_code = len(normalize_user_code(code)) <= app_settings.TOTP_DIGITS
    return Guessed.APP_CODE if is_app_code else Guessed.RECOVERY_CODE


def _source_of(user: PbxUser) -> Source:
    return lifecycle.source_of(user.name_key, _address(), Kind.MYAPPS)


def _limit_key(user: PbxUser, what: str, source: Source) -> str:
    spot = lifecycle.spot_of(source, _address())
    return CODE_LIMIT.format(what=what, user=user.pk, spot=spot)


def _address() -> str:
    return origin_of(context.request).address


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
