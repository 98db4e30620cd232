"""How English pages write dates that stand in columns: so that no country misreads."""

from __future__ import annotations

SHORT_DATE_FORMAT = "Y-m-d"
