"""SCIM by the library: from Django's request to an answer."""

from __future__ import annotations

import logging

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest
from scim2_models import SCIMException
from scim2_server.handler import ScimHandler
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse
from scim2_server.service import ScimService

from pbxsite.scim.resources import PROVIDER
from pbxsite.scim.storage import Storage
from pbxsite.scim.views import base_url

logger = logging.getLogger(__name__)
SERVICE = ScimService(PROVIDER)
HANDLER = ScimHandler(SERVICE, Storage())


def answer(request: HttpRequest, path: str) -> ScimResponse:
    asked = ScimRequest(
        method=str(request.method),
        base_url=base_url(),
        path=f"/{path}",
        query=request.GET.dict(),
        headers=dict(request.headers),
        body=request.body,
    )
    try:
        return HANDLER.handle(asked)
    except SCIMException as error:
        return SERVICE.error_response(error)
    except (DatabaseError, InterfaceError):
        raise
    except Exception as error:
        # No traceback reaches the provider, whatever it has sent.
        logger.exception("SCIM: %s %s", request.method, path)
        return SERVICE.error_response(error)
