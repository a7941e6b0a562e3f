"""The tables of the doctor's page, from the checks that each of its parts declares."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from breaker_exporter._doctor.check import Check
from breaker_exporter._doctor.declared import DECLARED

from .markdown import table


def _checks(checks: Iterable[Check]) -> str:
    """The checks of an area, each with its levels."""
    return table(
        ("check", "level", "what it means", "what to do"),
        (
            (
                ", ".join(f"`{name}`" for name in check.names),
                ", ".join(level.value for level in check.levels),
                check.about,
                check.advice,
            )
            for check in checks
        ),
    )


TABLES: dict[str, Callable[[], str]] = {
    area.name.lower(): partial(_checks, checks) for area, checks in DECLARED.items()
}
