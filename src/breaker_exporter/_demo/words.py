"""Numbers as text: seconds with a fitting unit, counts with separators."""

from __future__ import annotations

UNKNOWN = "-"


def seconds(value: float) -> str:
    """Return `value` with at most three digits, in s or ms."""
    if value >= 9.95:
        return f"{value:.0f} s" if value >= 99.5 else f"{value:.1f} s"
    if value >= 0.9995:
        return f"{value:.2f} s"
    return f"{value * 1000:.0f} ms" if value >= 0.00995 else f"{value * 1000:.1f} ms"


def count(value: int | None) -> str:
    """Return `value` with separators, or a dash for ``None``."""
    return UNKNOWN if value is None else f"{value:,}"
