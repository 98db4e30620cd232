#!/bin/sh
# Django 5.2.19, its own login view.
#
# A login with a "next" of up to 2048 characters leads there; with one character more it leads to
# LOGIN_REDIRECT_URL, as if nothing had been wanted. url_has_allowed_host_and_scheme answers False
# for any longer address, and the view keeps only safe ones: no error, no line in the log.
#
# Why it surprises: redirects may have 16384 characters (HttpResponseRedirect), browsers and servers
# take as many, and an OAuth 2.0 authorization request that waits in "next" is easily longer than
# 2048 once its state is escaped twice. The user has logged in, and stands on the wrong page.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q django==5.2.19 2>pip.log || { cat pip.log; exit 1; }

cat >try.py <<'END'
import django
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from django.urls import path

urlpatterns = []
settings.configure(
    ROOT_URLCONF=__name__, SECRET_KEY="x", ALLOWED_HOSTS=["*"], LOGIN_REDIRECT_URL="/else/",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
django.setup()
call_command("migrate", verbosity=0)
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView

urlpatterns.append(path("login/", LoginView.as_view()))
User.objects.create_user("anna", password="secret")
for length in (2048, 2049):
    wanted = "/authorize?state=".ljust(length, "s")
    sent = {"username": "anna", "password": "secret", "next": wanted}
    print(length, Client().post("/login/", sent)["Location"][:16])
END
venv/bin/python -W ignore try.py | tee seen
diff - seen <<'END'
2048 /authorize?state
2049 /else/
END
