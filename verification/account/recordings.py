"""Recordings that were too large for an e-mail: their user hears and deletes them."""

from __future__ import annotations

import re
from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from authconfig.clients.destinations import ACCOUNT
from authconfig.clients.session_kinds import myapps_required
from authconfig.users.models import PbxUser
from verification.voicemail import kept
from verification.voicemail.models import KeptRecording

# One part of a file, as players ask for it: 0-1, 500- or -500 (RFC 9110, 14.1.2).
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


def recordings_of(user: PbxUser) -> list[KeptRecording]:
    return list(kept.present().filter(user=user))


def _find(request: HttpRequest, public_id: UUID) -> KeptRecording | None:
    assert isinstance(request.user, PbxUser)
    return kept.present().filter(user=request.user, public_id=public_id).first()


@never_cache
@require_safe
@myapps_required
def recording(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """The page that the e-mail's link leads to."""
    found = _find(request, public_id)
    if found is None:
        return _gone(request)
    context = {"recordings": [found]}
    return render(request, "verification/account/recording.html", context)


def _gone(request: HttpRequest) -> HttpResponse:
    """Whether it never was or is somebody else's, nobody learns."""
    return render(
        request, "verification/account/recording_gone.html", status=HTTPStatus.GONE
    )


@never_cache
@require_safe
@myapps_required
def hear(request: HttpRequest, public_id: UUID) -> HttpResponse:
    found = _find(request, public_id)
    sound = kept.read(found) if found else None
    if found is None or sound is None:
        return _gone(request)
    response = _part(request.headers.get("Range", ""), sound)
    response["Content-Type"] = found.content_type
    response["Accept-Ranges"] = "bytes"
    name = found.file_name(found.content_type)
    disposition = content_disposition_header("save" in request.GET, name)
    response["Content-Disposition"] = disposition or "inline"
    return response


def _part(wanted: str, sound: bytes) -> HttpResponse:
    """Return the part that a player asks for: Safari plays nothing without."""
    found = RANGE.fullmatch(wanted.strip())
    if found is None or not any(found.groups()):
        return HttpResponse(sound)
    first, last = _places(*found.groups(), size=len(sound))
    if first > last:
        status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        headers = {"Content-Range": f"bytes */{len(sound)}"}
        return HttpResponse(status=status, headers=headers)
    headers = {"Content-Range": f"bytes {first}-{last}/{len(sound)}"}
    part = sound[first : last + 1]
    return HttpResponse(part, status=HTTPStatus.PARTIAL_CONTENT, headers=headers)


def _places(first: str, last: str, *, size: int) -> tuple[int, int]:
    if not first:  # so many bytes at the end
        return (max(size - int(last), 0), size - 1) if int(last) else (size, 0)
    return int(first), min(int(last or size), size - 1)


@never_cache
@require_POST
@myapps_required
def delete(request: HttpRequest, public_id: UUID) -> HttpResponse:
    found = _find(request, public_id)
    if found is None:
        return _gone(request)
    kept.delete(found)
    messages.success(request, _("The recording was deleted."))
    return redirect(ACCOUNT)
