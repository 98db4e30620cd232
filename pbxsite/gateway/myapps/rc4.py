"""RC4, in which the protocol hands a new session's name and password to its client.

It protects nothing by itself: RFC 7465 forbids it in TLS, for its output betrays what
it hides. What keeps the session's password from everybody else is the TLS around the
connection, which the site asks for. RC4 stands here alone, and for this alone, because
the clients expect it.
"""

from __future__ import annotations


def rc4(key: bytes, text: bytes) -> bytes:
    """Encrypt or decrypt, which are the same."""
    state, j = list(range(256)), 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out, i, j = bytearray(), 0, 0
    for byte in text:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)
