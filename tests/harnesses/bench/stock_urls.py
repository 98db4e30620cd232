"""The peer: allauth's own login view."""

from allauth.account.views import login
from django.http import HttpRequest, HttpResponse
from django.urls import path


def account(request: HttpRequest) -> HttpResponse:
    return HttpResponse("signed in")


urlpatterns = [
    path("login/", login, name="account_login"),
    path("signup/", login, name="account_signup"),
    path("password/reset/", login, name="account_reset_password"),
    path("account/", account, name="account"),
]
