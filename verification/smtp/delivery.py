"""One e-mail from MAIL FROM to the reply after its last dot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage

from verification.choices import Stage
from verification.smtp.addresses import wire_address
from verification.smtp.client import Client
from verification.smtp.content import (
    as_data,
    has_foreign_mailbox,
    serialise,
    with_wire_domains,
)
from verification.smtp.conversation import Conversation
from verification.smtp.faults import Fault


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
    _name_sender(talk, parcel)
    _name_recipient(talk, parcel)
    if before_data:
        before_data()
    return _hand_over(talk, as_data(parcel.content))


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


def _name_sender(talk: Conversation, parcel: Parcel) -> None:
    with talk.stage(Stage.MAIL_FROM) as found:
        wire = parcel.wire_sender
        can_travel = parcel.has_utf8 or wire.isascii()
        _check(talk, Stage.MAIL_FROM, parcel.sender, wire, can_travel=can_travel)
        reply = talk.client.mail(wire, _options(talk.client, parcel))
        found.append(talk.expect(Stage.MAIL_FROM, reply, 250))


def _name_recipient(talk: Conversation, parcel: Parcel) -> None:
    with talk.stage(Stage.RCPT_TO) as found:
        wire = parcel.wire_recipient
        can_travel = parcel.has_utf8 or not parcel.needs_utf8
        _check(talk, Stage.RCPT_TO, parcel.recipient, wire, can_travel=can_travel)
        found.append(talk.expect(Stage.RCPT_TO, talk.client.rcpt(wire), 250))


def _check(
    talk: Conversation, stage: Stage, address: str, wire: str, *, can_travel: bool
) -> None:
    if not wire:
        raise talk.error(stage, address, Fault.BAD_ADDRESS)
    if not can_travel:
        raise talk.error(stage, address, Fault.NO_SMTPUTF8)


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
    with talk.stage(Stage.DATA) as found:
        talk.expect(Stage.DATA, talk.client.docmd("DATA"), 354)
        talk.data_begun = True
        with talk.limit(talk.account.data_timeout) as client:
            client.send(data)
            talk.handed_over = True
            words = talk.expect(Stage.DATA, client.getreply(), 250)
        found.append(words)
    return words
