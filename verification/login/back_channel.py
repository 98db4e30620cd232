"""Where the OpenID provider says who has logged out there, or was locked out."""

from __future__ import annotations

import logging

from allauth.core.ratelimit import consume
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from authconfig.choices import Event, Method
from authconfig.models import current_rules
from authconfig.oauth2.faults import AWAY, ProviderError, ProviderFault
from authconfig.oauth2.logout_tokens import checked
from authconfig.policy import uses
from authconfig.users import audit
from authconfig.users.audit import origin_of
from verification.sessions.provider import logins as provider_logins

logger = logging.getLogger(__name__)
NAME = "oauth2_backchannel_logout"
# Of a provider that is away the keys cannot be had: it had better say it again.
LATER = (*AWAY, ProviderFault.RESTING)


@csrf_exempt
@login_not_required
@never_cache
@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    """Answer as section 2.8 of OpenID Connect Back-Channel Logout 1.0 says."""
    if not consume(request, action="provider_logout"):
        return _refused("temporarily_unavailable", "Too many requests.", status=429)
    try:
        _check_allowed()
        token = checked(request.POST.get("logout_token", ""), current_rules())
        ended = provider_logins.log_out(token)
    except ProviderError as error:
        return _failed(request, error)
    logger.info("the OpenID provider has logged out %d sessions", ended)
    return HttpResponse(status=200)


def _check_allowed() -> None:
    if not uses(current_rules(), Method.OAUTH2):
        raise ProviderError(ProviderFault.NOT_ALLOWED)


def _failed(request: HttpRequest, error: ProviderError) -> HttpResponse:
    audit.record(
        Event.PROVIDER_LOGOUT_REFUSED,
        user=None,
        origin=origin_of(request),
        method=Method.OAUTH2,
        detail=str(error),
    )
    if error.fault in LATER:
        words = "The keys of the provider cannot be fetched."
        return _refused("temporarily_unavailable", words, status=503)
    return _refused("invalid_request", "The logout token was not accepted.", status=400)


def _refused(error: str, words: str, *, status: int) -> HttpResponse:
    return JsonResponse({"error": error, "error_description": words}, status=status)
