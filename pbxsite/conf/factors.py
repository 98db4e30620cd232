"""Our forms for second factors, in the places of allauth's."""

from __future__ import annotations

FORMS = {
    "authenticate": "verification.login.factors.forms.CodeForm",
    "authenticate_webauthn": "verification.login.factors.forms.PasskeyForm",
    "reauthenticate": "verification.login.factors.forms.CodeAgainForm",
    "reauthenticate_webauthn": "verification.login.factors.forms.PasskeyAgainForm",
}
