"""The text of a CSV file, in whichever encoding the spreadsheet wrote it.

It is read only where the encoding is certain: a wrong guess would store wrong names.
"""

from __future__ import annotations

import codecs
import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

# What a spreadsheet of Europe may write as plain “CSV”.
WINDOWS = ("cp1252", "cp1250", "cp1254")
WORD = re.compile(r"[^\W\d_]+")


def text_of(content: bytes) -> str:
    """Return the text; raise a ValidationError with the line that is none."""
    encoding = _encoding_of(content)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding == "utf-8-sig" and (text := _as_windows(content)):
            return text
        line = content[: error.start].count(b"\n") + 1
        raise ValidationError(
            _("Line %(line)d is not UTF-8. Save the file as “CSV UTF-8”."),
            params={"line": line},
        ) from error


def _encoding_of(content: bytes) -> str:
    """Tell UTF-16 by its mark, or by the NULs beside the ASCII of the first line."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    nuls = [byte == 0 for byte in content[:4]]
    if nuls == [False, True, False, True]:
        return "utf-16-le"
    return "utf-16-be" if nuls == [True, False, True, False] else "utf-8-sig"


def _as_windows(content: bytes) -> str:
    """Return the text if all Windows encodings agree on it, else "".

    They differ in most accented letters, and those of other scripts in all. A word of
    such bytes alone could be of any script. Damaged UTF-8 and the encodings of DOS and
    Macintosh have bytes below 0xC0, which are no letters here.
    """
    try:
        texts = {content.decode(encoding) for encoding in WINDOWS}
    except UnicodeDecodeError:
        return ""
    text = texts.pop()
    return "" if texts or not _is_latin(content, text) else text


def _is_latin(content: bytes, text: str) -> bool:
    if any(0x80 <= byte < 0xC0 or byte in b"\xd7\xf7" for byte in content):
        return False
    words = (word for word in WORD.findall(text) if not word.isascii())
    return all(any(letter.isascii() for letter in word) for word in words)
