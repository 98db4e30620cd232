"""How English pages write dates in columns, so that nobody misreads them."""

from __future__ import annotations

SHORT_DATE_FORMAT = "Y-m-d"
