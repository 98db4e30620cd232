"""The delivery of one mail, from MAIL FROM to the reply after its last dot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage

from django.utils.translation import gettext as _

from verification.mail.choices import SmtpStage
from verification.mail.smtp.client import Client
from verification.mail.smtp.conversation import Conversation
from verification.mail.smtp.faults import SmtpFault
from verification.mail.smtp.wire_format import (
    as_data,
    has_foreign_mailbox,
    serialise,
    wire_address,
    with_wire_domains,
)


@dataclass(frozen=True)
class Parcel:
    """Both addresses as given and as they travel, and what travels between them."""

    sender: str
    recipient: str
    wire_sender: str
    wire_recipient: str
    content: bytes
    needs_utf8: bool
    has_utf8: bool


def deliver(
    talk: Conversation,
    message: EmailMessage,
    sender: str,
    recipient: str,
    before_data: Callable[[], None] | None,
) -> str:
    parcel = _pack(talk.client, with_wire_domains(message), sender, recipient)
    _check(talk, parcel)
    replies = talk.client.ask_in_turn(_commands(talk.client, parcel))
    for stage, wanted in ((SmtpStage.MAIL_FROM, 250), (SmtpStage.RCPT_TO, 250)):
        with talk.stage(stage) as found:
            found.append(talk.expect(stage, next(replies), wanted))
    with talk.stage(SmtpStage.DATA) as found:
        talk.expect(SmtpStage.DATA, next(replies), 354)
        if before_data:
            before_data()
        found.append(_hand_over(talk, as_data(parcel.content)))
    return found[0]


def _pack(client: Client, message: EmailMessage, sender: str, recipient: str) -> Parcel:
    wire_sender, wire_recipient = wire_address(sender), wire_address(recipient)
    is_ascii = (wire_sender + wire_recipient).isascii()
    needs_utf8 = has_foreign_mailbox(message) or not is_ascii
    has_utf8 = needs_utf8 and client.has_extn("smtputf8")
    eight_bit = client.has_extn("8bitmime")
    content = serialise(message, smtputf8=has_utf8, eight_bit=eight_bit)
    return Parcel(
        sender, recipient, wire_sender, wire_recipient, content, needs_utf8, has_utf8
    )


def _check(talk: Conversation, parcel: Parcel) -> None:
    """Refuse what cannot travel to this server before it hears of it."""
    sender, recipient = parcel.wire_sender, parcel.wire_recipient
    can_go_from = parcel.has_utf8 or sender.isascii()
    can_go_to = parcel.has_utf8 or not parcel.needs_utf8
    for stage, address, wire, can_travel in (
        (SmtpStage.MAIL_FROM, parcel.sender, sender, can_go_from),
        (SmtpStage.RCPT_TO, parcel.recipient, recipient, can_go_to),
    ):
        if wire and can_travel:
            continue
        fault = SmtpFault.NO_SMTPUTF8 if wire else SmtpFault.BAD_ADDRESS
        with talk.stage(stage):
            raise talk.error(stage, address, fault)
    _check_size(talk, parcel)


def _check_size(talk: Conversation, parcel: Parcel) -> None:
    """Hear the server's own words about what it said to be too large at EHLO."""
    stage, size, most = SmtpStage.MAIL_FROM, len(parcel.content), talk.client.most_bytes
    if not most or size <= most:
        return
    with talk.stage(stage):
        for reply in talk.client.ask_in_turn(_commands(talk.client, parcel)[:1]):
            talk.expect(stage, reply, 250)
        words = _("The e-mail has %(size)d bytes, and the server takes %(most)d.")
        told = {"size": size, "most": most}
        raise talk.error(stage, words % told, SmtpFault.TOO_LARGE)


def _commands(client: Client, parcel: Parcel) -> list[str]:
    sender, recipient = parcel.wire_sender, parcel.wire_recipient
    options = "".join(f" {option}" for option in _options(client, parcel))
    return [f"MAIL FROM:<{sender}>{options}", f"RCPT TO:<{recipient}>", "DATA"]


def _options(client: Client, parcel: Parcel) -> list[str]:
    options = []
    if client.has_extn("size"):
        options.append(f"SIZE={len(parcel.content)}")
    if parcel.has_utf8 or not parcel.content.isascii():
        options.append("BODY=8BITMIME")
    if parcel.has_utf8:
        options.append("SMTPUTF8")
    return options


def _hand_over(talk: Conversation, data: bytes) -> str:
    talk.data_begun = True
    with talk.limit(talk.account.data_timeout) as client:
        client.send(data)
        talk.handed_over = True
        return talk.expect(SmtpStage.DATA, client.getreply(), 250)
