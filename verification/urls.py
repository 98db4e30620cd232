"""The addresses of the second factor; the site includes them at its root."""

from __future__ import annotations

from django.urls import path

from verification import account, intake, views

app_name = "verification"
urlpatterns = [
    path("login/waiting/", views.wait, name="wait"),
    path("login/waiting/continue/", views.proceed, name="proceed"),
    path("login/waiting/cancel/", views.cancel, name="cancel"),
    path("login/waiting/send-again/", views.send_again, name="send_again"),
    path("PBX0/session.xml", views.link, name="link"),
    path("PBX0/voicemail.xml", intake.voicemail, name="voicemail"),
    path(
        "login/rejected/end-sessions/",
        views.end_after_rejection,
        name="end_after_rejection",
    ),
    path("account/", account.account, name="account"),
    path("account/approvals/", account.approvals, name="approvals"),
    path("account/approvals/<int:pk>/", account.decide_here, name="decide_here"),
    path("account/password/", account.password, name="password"),
    path("account/rejected/", account.rejected, name="rejected"),
    path("account/sessions/<int:pk>/end/", account.end_session, name="end_session"),
    path(
        "account/sessions/end-others/",
        account.end_other_sessions,
        name="end_other_sessions",
    ),
]
