"""What an authorization request may say (OpenID Connect Core 1.0, 3.1.2.1)."""

from __future__ import annotations

from typing import Any

from allauth.idp.oidc.forms import RPInitiatedLogoutForm
from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from pbxsite.gateway.openid.clients import SCOPES, find
from pbxsite.gateway.openid.models import OpenIdClient
from pbxsite.gateway.openid.redirect_uris import is_registered

PROMPTS = {"none", "login", "consent", "select_account"}
# Error codes go to the client application; its developers read the words.
INVALID = "invalid_request"
PKCE_REQUIRED = "PKCE with S256 is required"
# Some clients keep all that they have to remember in it.
MOST_OF_STATE = 8000
CODES = {
    INVALID,
    "invalid_scope",
    "unsupported_response_type",
    "request_not_supported",
    "request_uri_not_supported",
}


class Text(forms.CharField):
    """An optional parameter, with its spaces."""

    def __init__(self, most: int = 1000, **kwargs: Any) -> None:
        super().__init__(required=False, strip=False, max_length=most, **kwargs)


class OnceForm(forms.Form):
    """Refuses a parameter that comes twice (RFC 6749, 3.1)."""

    def clean(self) -> dict[str, Any]:
        data: Any = self.data
        twice = [name for name in self.fields if len(data.getlist(name)) > 1]
        if twice:
            raise ValidationError(f"{twice[0]} is there twice", code=INVALID)
        return super().clean() or self.cleaned_data


class RecipientForm(OnceForm):
    """Which client is answered, and where; without both, no browser is sent on."""

    client_id = Text(100)
    redirect_uri = Text(2000)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        openid = find(cleaned.get("client_id", ""))
        if openid is None:
            raise ValidationError(_("This site knows no such client application."))
        if not is_registered(
            cleaned.get("redirect_uri", ""),
            openid.redirect_uris.splitlines(),
            on_any_port=openid.is_public,
        ):
            raise ValidationError(
                _("The redirect URI is none of those that %(client)s has here."),
                params={"client": openid.application.name},
            )
        return cleaned | {"openid": openid}

    @property
    def openid(self) -> OpenIdClient:
        openid: OpenIdClient = self.cleaned_data["openid"]
        return openid


class AuthorizationForm(OnceForm):
    response_type = Text()
    response_mode = Text()
    scope = Text()
    state = Text(MOST_OF_STATE)
    nonce = Text()
    code_challenge = Text(
        validators=[
            RegexValidator(
                r"\A[A-Za-z0-9_-]{43}\Z", "code_challenge is no S256 one", code=INVALID
            )
        ],
    )
    code_challenge_method = Text()
    prompt = Text()
    max_age = forms.IntegerField(required=False, min_value=0)
    id_token_hint = Text(10_000)
    request = Text(10_000)
    request_uri = Text(10_000)

    def __init__(self, data: QueryDict, *, openid: OpenIdClient) -> None:
        super().__init__(data)
        self.openid = openid

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        # RFC 9700, 2.1.1: something of the client's own has to tie a code to a login.
        if not cleaned.get("code_challenge") and cleaned.get("nonce") == "":
            raise ValidationError("nonce is required without PKCE", code=INVALID)
        return cleaned

    def clean_response_type(self) -> str:
        if not self.cleaned_data["response_type"]:
            raise ValidationError("response_type is missing", code=INVALID)
        return self._only("response_type", "code", code="unsupported_response_type")

    def clean_response_mode(self) -> str:
        return self._only("response_mode", "", "query")

    def clean_code_challenge_method(self) -> str:
        if self.data.get("code_challenge"):
            return self._only("code_challenge_method", "S256")
        return self._only("code_challenge_method", "")

    def clean_request(self) -> str:
        return self._only("request", "", code="request_not_supported")

    def clean_request_uri(self) -> str:
        return self._only("request_uri", "", code="request_uri_not_supported")

    def clean_code_challenge(self) -> str:
        challenge: str = self.cleaned_data["code_challenge"]
        if not challenge and not self.openid.without_pkce:
            raise ValidationError(PKCE_REQUIRED, code=INVALID)
        return challenge

    def clean_scope(self) -> list[str]:
        asked = self.cleaned_data["scope"].split()
        if "openid" not in asked:
            raise ValidationError("scope has to hold openid", code="invalid_scope")
        return sorted(set(asked) & set(SCOPES))

    def clean_prompt(self) -> set[str]:
        prompts = set(self.cleaned_data["prompt"].split())
        if not prompts <= PROMPTS or ("none" in prompts and len(prompts) > 1):
            raise ValidationError("prompt has a value that is not known", code=INVALID)
        return prompts

    def _only(self, name: str, *allowed: str, code: str = INVALID) -> str:
        value: str = self.cleaned_data[name]
        if value not in allowed:
            taken = " or ".join(word for word in allowed if word)
            words = f"{name} has to be {taken}" if taken else f"{name} is not supported"
            raise ValidationError(words, code=code)
        return value

    @property
    def given_state(self) -> str:
        """Return it as it came, whatever else is wrong with the request."""
        state = str(self.data.get("state", ""))
        return state if len(state) <= MOST_OF_STATE else ""

    @property
    def fault(self) -> tuple[str, str]:
        name, errors = next(iter(self.errors.as_data().items()))
        code = errors[0].code
        if code not in CODES:
            return INVALID, f"{name} is not valid"
        return code, errors[0].messages[0]


class ConsentForm(forms.Form):
    decision = forms.ChoiceField(choices=[("allow", ""), ("deny", "")])


class EndSessionForm(RPInitiatedLogoutForm):
    """allauth's form, which compares the redirect URI exactly."""

    def clean(self) -> dict[str, Any]:
        uri = self.cleaned_data.pop("post_logout_redirect_uri", "")
        cleaned: dict[str, Any] = super().clean()
        openid = find(cleaned["client"].pk) if cleaned["client"] else None
        is_allowed = openid is not None and is_registered(
            uri, openid.logout_uris.splitlines(), on_any_port=openid.is_public
        )
        if uri and openid and not is_allowed:
            self.add_error(
                "post_logout_redirect_uri",
                _("The address to go on to is none of those that the client has here."),
            )
        cleaned["post_logout_redirect_uri"] = uri if is_allowed else ""
        return cleaned
