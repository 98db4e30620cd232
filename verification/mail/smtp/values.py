"""What goes into a delivery."""

from __future__ import annotations

from dataclasses import dataclass, field

from authconfig.choices import SmtpSecurity


@dataclass(frozen=True)
class Account:
    server: str
    port: int
    security: SmtpSecurity
    client_host_name: str = "127.0.0.1"
    sender_name: str = ""
    email_address: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    ca_certificate: str = ""
    connect_timeout: float = 10
    reply_timeout: float = 30
    # For the body, and once more for the reply to it. RFC 5321 would wait ten
    # minutes, longer than most logins last.
    data_timeout: float = 120
