"""What saving the form on the screen would change, told before it is saved.

Others may have saved meanwhile: the page takes their values over where it left the
fields as they were, so that it tries and saves what stands on the screen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from django.http import HttpRequest, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from authconfig.sections import LOST_SECRET, SECRETS
from authconfig.users.settings_history import text_of
from pbxsite.administration.authentication import cards, summary
from pbxsite.administration.authentication.kept.page_form import PageForm
from pbxsite.administration.authentication.page_context import count_unapproved
from pbxsite.administration.authentication.posted_form import posted_form
from pbxsite.administration.authentication.smtp_login import login_block
from pbxsite.administration.entry.answers import Census


@require_POST
def preview(request: HttpRequest) -> JsonResponse:
    form = posted_form(request)
    form.is_valid()
    rules, new_rules = form.rules, form.new_rules()
    before, after = Census(rules), Census(new_rules)
    facts = summary.Facts(
        after.all_closed(),
        before.all_closed(),
        after.without_factor(),
        count_unapproved(),
    )
    return JsonResponse(
        {
            "sections": summary.consequences(rules, new_rules, facts),
            "lost": {n: str(LOST_SECRET[n]) for n in form.lost_secrets},
            "changed": [cards.name_of(key) for key in form.changed_keys()],
            "refusal": form.lockout._asdict() if form.lockout else None,
            "authorization": asdict(login_block.authorization(new_rules)),
            "conditions": [
                condition.is_met for condition in cards.conditions(form, new_rules)
            ],
            "opened": form.opened,
            "theirs": {
                name: text_of(rules, name)
                for name in form.merged.theirs
                if name not in SECRETS
            },
            "told": _told(form),
        }
    )


def _told(form: PageForm) -> dict[str, str]:
    """Say what others have changed while this page was open."""
    theirs, both = form.merged.theirs, form.merged.conflicts
    told = {
        "theirs": _("Others have changed, and it stands here by now: %(labels)s"),
        "both": _(
            "Others have changed what you are changing: %(labels)s. “Save” asks you"
            " which value stays."
        ),
    }
    names = {"theirs": _labels(theirs), "both": _labels(both)}
    return {key: told[key] % {"labels": names[key]} for key in told if names[key]}


def _labels(keys: Iterable[str]) -> str:
    return ", ".join(cards.name_of(key) for key in keys)
