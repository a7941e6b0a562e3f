"""Findings, the settings in force, and the report made of them: plain data, rendered as text or JSON."""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Callable, Generator, Iterable
from dataclasses import asdict, dataclass, field
from typing import TypeVar

T = TypeVar("T")

_SHORTEST_SECRET = 6
"""Characters: hiding anything shorter would only make the report unreadable."""


class Level(enum.Enum):
    """The level of a finding, mildest first."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        level: How bad it is.
        check: Its name, for machines: the same in every version.
        text: One line for people.
        advice: What to do about it; empty where there is nothing to do.
        brief: Of one that is ok, a few words for the summary; empty where that leaves it out.
        todo: What to do about it now, where `advice` alone is not enough to do it: a sentence, and the lines
            to type or to write.
    """

    level: Level
    check: str
    text: str
    advice: str = ""
    brief: str = ""
    todo: tuple[str, ...] = ()


Steps = Generator[Finding, None, T]
"""Findings as they are made, and what the next steps need in the end."""


ok = functools.partial(Finding, Level.OK)
"""A finding that all is well."""
warning = functools.partial(Finding, Level.WARNING)
"""A finding of something that works, but not as it should."""
broken = functools.partial(Finding, Level.BROKEN)
"""A finding of something that does not work."""


def warning_or_fatal(
    check: str, text: str, advice: str, *, is_fatal: bool, todo: tuple[str, ...] = ()
) -> Finding:
    """Return a warning; of something that Gunicorn does not start with, a finding that says so."""
    if is_fatal:
        text = f"{text}; fatal, since BREAKER_EXPORTER_STRICT=1: Gunicorn will not start"
        return broken(check, text, advice, todo=todo)
    return warning(check, text, advice, todo=todo)


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting in force; its source: a variable, ``in place of`` it, ``code``, ``profile``, ``default``."""

    name: str
    value: str | float | bool | None
    unit: str
    source: str


@dataclass(slots=True)
class Report:
    """All findings so far.

    Attributes:
        tell: Called with each finding as it is made.
        begin: Called with the name of each part before it is looked at.
        settings: Those in force.
        versions: By the name of the distribution; ``None`` where it is not installed.
    """

    tell: Callable[[Finding], object] = lambda finding: None
    begin: Callable[[str], object] = lambda part: None
    findings: list[Finding] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)
    versions: dict[str, str | None] = field(default_factory=dict)
    _secrets: set[str] = field(default_factory=set)

    def hide(self, secrets: Iterable[str]) -> None:
        """Never show these, whatever text they may turn up in."""
        self._secrets.update(secret for secret in secrets if len(secret) >= _SHORTEST_SECRET)

    def add(self, finding: Finding) -> None:
        """Add a finding, and tell it."""
        clean = self._clean
        text, advice, brief = map(clean, (finding.text, finding.advice, finding.brief))
        todo = tuple(map(clean, finding.todo))
        shown = Finding(finding.level, finding.check, text, advice, brief, todo)
        self.findings.append(shown)
        self.tell(shown)

    def take(self, steps: Steps[T]) -> T:
        """Add all findings of `steps`; return what they return."""
        while True:
            try:
                self.add(next(steps))
            except StopIteration as end:
                result: T = end.value
                return result

    @property
    def status(self) -> int:
        """The exit status: 0 where all is well, 1 with warnings, 2 where something is broken."""
        levels = list(Level)
        return max((levels.index(finding.level) for finding in self.findings), default=0)

    def as_json(self) -> dict[str, object]:
        """Return the report for machines; docs/reference/doctor.md shows its shape."""
        return {
            "status": self.status,
            "findings": [
                {"level": each.level.value, "check": each.check, "text": each.text, "advice": each.advice}
                for each in self.findings
            ],
            "settings": [{**asdict(each), "value": self._clean_value(each.value)} for each in self.settings],
            "versions": self.versions,
        }

    def shown_value(self, name: str) -> str | None:
        """Return the value of a setting in force as it may be shown; ``None`` where there is none."""
        values = (each.value for each in self.settings if each.name == name)
        found = self._clean_value(next(values, None))
        return None if found is None else str(found)

    def lines_of_settings(self) -> list[str]:
        """Return the settings as a table."""
        rows = []
        for each in self.settings:
            value = "-" if each.value is None else self._clean_value(each.value)
            rows.append((each.name, f"{value} {each.unit}".strip(), each.source))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return [
            f"  {name:<{widths[0]}}  {value:<{min(widths[1], 44)}}  {source}" for name, value, source in rows
        ]

    def _clean(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return re.sub(r"[\x00-\x1f\x7f]+", " ", text)

    def _clean_value(self, value: str | float | bool | None) -> str | float | bool | None:
        return self._clean(value) if isinstance(value, str) else value


def lines_of(finding: Finding) -> list[str]:
    """Return a finding as text: what is wrong, and indented what to do."""
    lines = [f"{finding.level.value:<8} {finding.text}  [{finding.check}]"]
    return [*lines, f"         -> {finding.advice}"] if finding.advice else lines
