"""allauth's own login as its documentation sets it up, with the site's hasher."""

from tests.harnesses.bench.settings import *

ROOT_URLCONF = "tests.harnesses.bench.stock_urls"
ACCOUNT_ADAPTER = "allauth.account.adapter.DefaultAccountAdapter"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_REDIRECT_URL = "/account/"
