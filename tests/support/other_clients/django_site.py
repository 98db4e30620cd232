"""A Django site in one file, with one of two clients in it: CLIENT says which."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.http import JsonResponse
from django.urls import include, path

ISSUER, PORT = os.environ["ISSUER"], os.environ["PORT"]
CLIENT_ID, CLIENT_SECRET = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]
MOZILLA = {
    "APP": "mozilla_django_oidc",
    "AUTHENTICATION_BACKENDS": ["mozilla_django_oidc.auth.OIDCAuthenticationBackend"],
    "OIDC_RP_CLIENT_ID": CLIENT_ID,
    "OIDC_RP_CLIENT_SECRET": CLIENT_SECRET,
    "OIDC_OP_AUTHORIZATION_ENDPOINT": f"{ISSUER}/openid/authorize",
    "OIDC_OP_TOKEN_ENDPOINT": f"{ISSUER}/openid/token",
    "OIDC_OP_USER_ENDPOINT": f"{ISSUER}/openid/userinfo",
    "OIDC_OP_JWKS_ENDPOINT": f"{ISSUER}/openid/keys",
    # Its default is a shared key, which no provider with published keys has.
    "OIDC_RP_SIGN_ALGO": "RS256",
    "LOGIN_REDIRECT_URL": "/",
}
SIMPLE = {
    "APP": "simple_openid_connect.integrations.django",
    "OPENID_ISSUER": ISSUER,
    "OPENID_CLIENT_ID": CLIENT_ID,
    "OPENID_CLIENT_SECRET": CLIENT_SECRET,
    "OPENID_BASE_URI": f"http://127.0.0.1:{PORT}",
    "OPENID_SCOPE": "openid profile email",
    "LOGIN_REDIRECT_URL": "/",
}
chosen = MOZILLA if os.environ["CLIENT"] == "mozilla" else SIMPLE
app = chosen.pop("APP")
settings.configure(
    DEBUG=True,
    SECRET_KEY="a key for a test",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.admin",
        "django.contrib.messages",
        app,
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
        }
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": Path(os.environ["FOLDER"]) / "db.sqlite3",
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    # Two sites on one host: cookies know no ports.
    SESSION_COOKIE_NAME="client_session",
    **chosen,
)


def who(request):
    user = request.user
    return JsonResponse({"name": user.email or user.get_username()})


if __name__ == "__main__":
    sys.modules["django_site"] = sys.modules[__name__]
    import django

    django.setup()
    urls = "mozilla_django_oidc.urls" if chosen is MOZILLA else f"{app}.urls"
    urlpatterns = [path("", who), path("oidc/", include(urls))]
    call_command("migrate", verbosity=0)
    call_command("runserver", f"127.0.0.1:{PORT}", "--noreload", "--nothreading")
