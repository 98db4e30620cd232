"""English words of libraries that bring no German for them.

Nobody imports this: the extraction of texts finds them here, and the catalogue serves
the libraries' pages as well.
"""

from __future__ import annotations

from django.utils.translation import gettext_noop, ngettext_lazy

UNFOLD = (
    gettext_noop("All applications"),
    gettext_noop("Apply Filters"),
    gettext_noop("Choose file to upload"),
    gettext_noop("Dark"),
    gettext_noop("Date from"),
    gettext_noop("Date to"),
    gettext_noop("Expand row"),
    gettext_noop("Filters"),
    gettext_noop("Go back"),
    gettext_noop("Light"),
    gettext_noop("Loading more results..."),
    gettext_noop("More actions"),
    gettext_noop("No data"),
    gettext_noop("No recent searches"),
    gettext_noop("No results found"),
    gettext_noop("No results matching your query"),
    gettext_noop("Recent searches"),
    gettext_noop("Reset filters"),
    gettext_noop("Run"),
    gettext_noop("Search apps and models..."),
    gettext_noop("Select action"),
    gettext_noop("Select action to run"),
    gettext_noop("Select all rows"),
    gettext_noop("Select record"),
    gettext_noop("Select value"),
    gettext_noop("System"),
    gettext_noop(
        "This page yielded into no results. Create a new item or reset your filters."
    ),
    gettext_noop("Toggle password visibility"),
    gettext_noop("Type to search"),
)
# What a search found, with the blanks and line ends of its template.
UNFOLD_FOUND = ngettext_lazy(
    "\n                Found %(counter)s result in %(time)s seconds\n            ",
    "\n                Found %(counter)s results in %(time)s seconds\n            ",
    0,
)
# Django has German for these, with another word for "save" than ours, and one for
# "common" that nobody says of a password.
DJANGO = (
    gettext_noop("History"),
    gettext_noop("Save and add another"),
    gettext_noop("Save and continue editing"),
    gettext_noop("This password is too common."),
)
ALLAUTH = (
    gettext_noop("MFA"),
    gettext_noop("TOTP Authenticator"),
    gettext_noop("WebAuthn"),
)
