"""A check, declared once: its name, the levels that it can have, what it means and what to do.

Each part declares its own, as near as it can to the code that makes them: ``CHECKS``. The summary and the
reference page (``docs/reference/doctor.md``) take from here what they say; ``declared.py`` has them all.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from .report import Level

OK, WARNING, BROKEN = Level.OK, Level.WARNING, Level.BROKEN
_PLACEHOLDERS = {"STATUS": "[a-z0-9-]+", "SIGNAL": "(?:traces|logs|metrics)"}


class Area(enum.Enum):
    """The part of a set-up that a check is about; what should be mended first comes first."""

    INSTALLED = "installed"
    GUNICORN = "Gunicorn"
    SETTINGS = "settings"
    DISK = "disk"
    COLLECTOR = "collector"
    STOPPING = "stopping"
    MEMORY = "memory"
    SENTRY = "Sentry"
    DOCTOR = "doctor"


@dataclass(frozen=True, slots=True)
class Check:
    """A check.

    Attributes:
        name: Its name, the same in every version; STATUS and SIGNAL stand for what differs.
        levels: Those that its findings can have, mildest first.
        about: What such a finding means, in Markdown.
        advice: What to do about one that is not ok, in Markdown; empty where it is always ok.
        prefixes: Beginnings with which it is made for other places, too.
    """

    name: str
    levels: tuple[Level, ...]
    about: str
    advice: str = ""
    prefixes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The name, alone and with each prefix."""
        return (self.name, *(f"{prefix}{self.name}" for prefix in self.prefixes))

    def has_made(self, check: str) -> bool:
        """Return true for the check of a finding that may be of this one."""
        return any(re.fullmatch(_pattern(name), check) for name in self.names)


def _pattern(name: str) -> str:
    for word, pattern in _PLACEHOLDERS.items():
        name = name.replace(word, pattern)
    return name
