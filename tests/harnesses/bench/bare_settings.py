"""A project with nothing but one view, the site's session store and its database."""

from pbxsite.settings import *

ROOT_URLCONF = "tests.harnesses.bench.bare"
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware"]
INSTALLED_APPS = ["django.contrib.sessions"]
