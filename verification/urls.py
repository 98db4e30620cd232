"""The addresses of approval, Account security and the voicemail object."""

from __future__ import annotations

from django.urls import path

from authconfig.clients.choices import Kind
from verification.account import recordings
from verification.account import views as account_views
from verification.approval import views as approval_views
from verification.password_links import views as password_views
from verification.voicemail import views as voicemail_views

app_name = "verification"
urlpatterns = [
    path("login/waiting/", approval_views.wait, name="wait"),
    path("login/waiting/continue/", approval_views.proceed, name="proceed"),
    path("login/waiting/cancel/", approval_views.cancel, name="cancel"),
    path("login/waiting/send-again/", approval_views.send_again, name="send_again"),
    path(
        "login/forgot/",
        password_views.forgotten,
        {"kind": Kind.MYAPPS},
        name="forgotten",
    ),
    path(
        "mypbx/login/forgot/",
        password_views.forgotten,
        {"kind": Kind.MYPBX},
        name="forgotten_mypbx",
    ),
    path("login/forgot/sent/", password_views.forgotten_sent, name="forgotten_sent"),
    path("account/password/set/", password_views.set_password, name="set_password"),
    path(
        "account/password/set/done/", password_views.password_set, name="password_set"
    ),
    path("PBX0/session.xml", approval_views.link, name="link"),
    path("PBX0/voicemail.xml", voicemail_views.voicemail, name="voicemail"),
    path(
        "login/rejected/end-sessions/",
        approval_views.end_after_rejection,
        name="end_after_rejection",
    ),
    path("account/", account_views.account, name="account"),
    path("account/approvals/", account_views.approvals, name="approvals"),
    path("account/approvals/<int:pk>/", account_views.decide_here, name="decide_here"),
    path("account/password/", account_views.password, name="password"),
    path(
        "account/voicemail/<uuid:public_id>/",
        recordings.recording,
        name="kept_recording",
    ),
    path("account/voicemail/<uuid:public_id>/sound/", recordings.hear, name="hear"),
    path(
        "account/voicemail/<uuid:public_id>/delete/",
        recordings.delete,
        name="delete_recording",
    ),
    path("account/rejected/", account_views.rejected, name="rejected"),
    path(
        "account/sessions/<int:pk>/end/", account_views.end_session, name="end_session"
    ),
    path(
        "account/sessions/end-others/",
        account_views.end_other_sessions,
        name="end_other_sessions",
    ),
]
