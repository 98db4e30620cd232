#!/bin/sh
# django-allauth 65.21.1 (allauth.usersessions) with Django 5.2.19.
#
# Anna is signed in with two browsers. The SECRET_KEY is changed and the old one moved to
# SECRET_KEY_FALLBACKS, which keeps everybody signed in. Then she lists her sessions in one
# browser: the list shows both, and the other browser is signed out.
#
# Why it surprises: reading ends a session. The list asks Django for the user of each session;
# Django finds a hash of the older key, gives the session a new key and expects that the answer to
# that very browser carries it, but the answer goes to another one.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q django==5.2.19 django-allauth==65.21.1 2>pip.log || { cat pip.log; exit 1; }

cat >try.py <<'END'
import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path

settings.configure(
    SECRET_KEY="the older key",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=[
        "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
        "allauth", "allauth.account", "allauth.usersessions",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "allauth.account.middleware.AccountMiddleware",
    ],
)
django.setup()

from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client, override_settings

def name(request):
    return HttpResponse(request.user.username or "nobody")

def sessions(request):
    return HttpResponse(len(UserSession.objects.purge_and_list(request.user)))

urlpatterns = [path("name", name), path("sessions", sessions)]

call_command("migrate", verbosity=0)
anna = User.objects.create_user("anna", password="secret")
one, two = Client(), Client()
for browser in (one, two):
    browser.force_login(anna, backend="django.contrib.auth.backends.ModelBackend")
    key = browser.session.session_key
    UserSession.objects.create(user=anna, ip="192.0.2.1", user_agent="", session_key=key)

with override_settings(SECRET_KEY="the newer key", SECRET_KEY_FALLBACKS=["the older key"]):
    print("one is", one.get("/name").content.decode())
    UserSession.objects.update_or_create(
        session_key=one.session.session_key,
        defaults={"user": anna, "ip": "192.0.2.1", "user_agent": ""},
    )
    for time in ("first", "second"):
        print(time, "list:", one.get("/sessions").content.decode())
    print("two is", two.get("/name").content.decode())
END
venv/bin/python try.py | tee seen
diff - seen <<'END'
one is anna
first list: 2
second list: 1
two is nobody
END
