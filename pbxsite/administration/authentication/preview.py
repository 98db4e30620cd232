"""What saving the form on the screen would change, told before it is saved."""

from __future__ import annotations

from dataclasses import asdict

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_POST

from authconfig.sections import LOST_SECRET
from pbxsite.administration.authentication import cards, summary
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
        }
    )
