"""Numbers as a reader takes them in: seconds with a fitting unit, counts with separators."""

from __future__ import annotations

NOBODY_KNOWS = "-"


def seconds(value: float) -> str:
    """Three digits at most, in s or ms."""
    if value >= 9.95:
        return f"{value:.0f} s" if value >= 99.5 else f"{value:.1f} s"
    if value >= 0.9995:
        return f"{value:.2f} s"
    return f"{value * 1000:.0f} ms" if value >= 0.00995 else f"{value * 1000:.1f} ms"


def count(value: int | None) -> str:
    """With separators."""
    return NOBODY_KNOWS if value is None else f"{value:,}"
