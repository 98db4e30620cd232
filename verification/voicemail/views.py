"""The address at which the PBX posts voicemails. Scripts read it: English alone."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, NoReturn

from allauth.core.ratelimit import consume
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.utils import translation
from django.utils.datastructures import MultiValueDict
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from authconfig.choices import Event
from authconfig.users import audit
from authconfig.users.audit import origin_of
from verification.voicemail import flows, keys
from verification.voicemail.choices import VoicemailFault
from verification.voicemail.forms import NO_FILE, VoicemailForm

logger = logging.getLogger(__name__)
PROBLEM = "application/problem+json"
RETRY_AFTER = {"Retry-After": "60"}
# A string as structured headers have it (RFC 9651), with or without the quotes.
IDEMPOTENCY_KEY = re.compile(r'"?([!#-\[\]-~]{1,255})"?')
STATUS_OF_FAULT = {
    VoicemailFault.NOBODY: HTTPStatus.NOT_FOUND,
    VoicemailFault.TWO_USERS: HTTPStatus.CONFLICT,
    VoicemailFault.INACTIVE: HTTPStatus.CONFLICT,
    VoicemailFault.NO_EMAIL: HTTPStatus.CONFLICT,
    VoicemailFault.OTHER_REQUEST: HTTPStatus.UNPROCESSABLE_ENTITY,
    VoicemailFault.TOO_MANY: HTTPStatus.TOO_MANY_REQUESTS,
    VoicemailFault.NO_ACCOUNT: HTTPStatus.SERVICE_UNAVAILABLE,
    VoicemailFault.NO_ROOM: HTTPStatus.SERVICE_UNAVAILABLE,
}
STATUS_OF_FILE = {
    VoicemailForm.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    VoicemailForm.NOT_AUDIO: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}
View = Callable[[HttpRequest], HttpResponse]


class ProblemError(Exception):
    """Becomes the answer, in the form of RFC 9457."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        waits = status in (
            HTTPStatus.TOO_MANY_REQUESTS,
            HTTPStatus.SERVICE_UNAVAILABLE,
        )
        self.headers = headers or (RETRY_AFTER if waits else {})
        self.status = status
        told = {"type": "about:blank", "title": status.phrase, "status": status.value}
        self.content = {**told, "detail": detail, **more}

    def response(self) -> HttpResponse:
        return JsonResponse(
            self.content,
            status=self.status,
            content_type=PROBLEM,
            headers=self.headers,
        )


def for_scripts(view: View) -> View:

    @csrf_exempt
    @login_not_required
    @never_cache
    @wraps(view)
    def answered(request: HttpRequest) -> HttpResponse:
        try:
            with translation.override("en"):
                return view(request)
        except ProblemError as problem:
            return problem.response()
        except (DatabaseError, InterfaceError):
            logger.exception("voicemail: the database failed")
            status = HTTPStatus.SERVICE_UNAVAILABLE
            detail = "The database does not answer. Post it again later."
            return ProblemError(status, detail).response()

    return answered


@for_scripts
def voicemail(request: HttpRequest) -> HttpResponse:
    _check_method(request)
    _check_key(request)
    form = _form(request)
    if not form.is_valid():
        _refuse(form)
    posted = flows.PostedVoicemail(**form.cleaned_data, key=_idempotency_key(request))
    taken = flows.take(posted, origin_of(request))
    if isinstance(taken, VoicemailFault):
        raise ProblemError(STATUS_OF_FAULT[taken], taken.value)
    return JsonResponse({"id": str(taken.public_id)}, status=HTTPStatus.ACCEPTED)


def _check_method(request: HttpRequest) -> None:
    if request.method != "POST":
        status = HTTPStatus.METHOD_NOT_ALLOWED
        raise ProblemError(status, "Use POST.", {"Allow": "POST"})


def _check_key(request: HttpRequest) -> None:
    """Limit wrong keys alone, or an attacker at the address could lock the PBX out."""
    shown = keys.shown_in(request)
    if shown and keys.is_right(shown):
        return
    if not consume(request, action="voicemail_key"):
        status = HTTPStatus.TOO_MANY_REQUESTS
        raise ProblemError(status, "Too many wrong keys from this address.")
    challenge = 'Bearer realm="voicemail"'
    if shown:
        challenge += ', error="invalid_token"'
        audit.record(Event.VOICEMAIL_KEY_WRONG, user=None, origin=origin_of(request))
    detail = (
        "Send “Authorization: Bearer KEY” with the key of the page “Authentication”."
    )
    headers = {"WWW-Authenticate": challenge}
    raise ProblemError(HTTPStatus.UNAUTHORIZED, detail, headers)


def _form(request: HttpRequest) -> VoicemailForm:
    if int(request.META.get("CONTENT_LENGTH") or 0) > settings.BODY_MAX_BYTES:
        _refuse_size()
    if request.content_type != "multipart/form-data":
        status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        raise ProblemError(status, "Post it as multipart/form-data.")
    try:
        return VoicemailForm(request.POST, _files(request))
    except RequestDataTooBig as error:
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        raise ProblemError(status, f"The texts are too large. {NO_FILE}") from error
    except (MultiPartParserError, SuspiciousOperation, LookupError) as error:
        # The last one tells of a charset that is for no text.
        detail = f"The form cannot be read: {error}"
        raise ProblemError(HTTPStatus.BAD_REQUEST, detail) from error


def _refuse_size() -> NoReturn:
    most = settings.VOICEMAIL_MAX_BYTES
    detail = f"A recording may have {most} bytes (VOICEMAIL_MAX_MB)."
    raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)


def _files(request: HttpRequest) -> MultiValueDict[str, Any]:
    """Take the only file for the recording, whatever a script calls it.

    curl makes a file of a text as well: of a caller named “Eve;filename=x”.
    """
    fields = VoicemailForm.base_fields
    others = [n for n in request.FILES if n not in fields or n == "recording"]
    if "recording" in others or len(others) != 1:
        return request.FILES
    return MultiValueDict({"recording": request.FILES.getlist(others[0])})


def _refuse(form: VoicemailForm) -> NoReturn:
    codes = [error.code for error in form.errors.as_data().get("recording", ())]
    statuses = [STATUS_OF_FILE[code] for code in codes if code in STATUS_OF_FILE]
    status = statuses[0] if statuses else HTTPStatus.UNPROCESSABLE_ENTITY
    raise ProblemError(status, " ".join(form.sentences()), errors=form.errors)


def _idempotency_key(request: HttpRequest) -> str:
    entered = request.headers.get("Idempotency-Key", "").strip()
    if not entered:
        return ""
    found = IDEMPOTENCY_KEY.fullmatch(entered)
    if found is None:
        detail = "An Idempotency-Key has 1 to 255 characters of ASCII and no blank."
        raise ProblemError(HTTPStatus.BAD_REQUEST, detail)
    return found[1]
