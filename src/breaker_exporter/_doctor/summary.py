"""The report for people: what is fine, what is not, and the next step. Lines have at most 79 columns."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby

from .check import Area
from .declared import area_of
from .next_step import next_step
from .report import Finding, Level, Report, lines_of

_COLUMNS = 79
_TITLES = {Level.BROKEN: "Broken", Level.WARNING: "To look at"}
_AREA = max(len(area.value) for area in Area)
_INDENT = " " * (_AREA + 4)
_MORE = "Each check, and each setting in force with its source: add --verbose"


def lines_of_report(report: Report, *, verbose: bool) -> Iterator[str]:
    """Return the report: the summary, with `verbose` every finding and setting, and the next step."""
    yield from _wrapped(_head(report))
    yield from _fine(report)
    for level, title in _TITLES.items():
        if found := by_urgency(report.findings, level):
            yield from ("", f"{title}:")
            for finding in found:
                yield from _problem(finding)
    if any(finding.check == "conf-none" for finding in report.findings):
        yield from ("", "Not looked at:")
        yield from _entry(Area.GUNICORN, "no gunicorn.conf.py here; --conf PATH names another file")
    if verbose:
        yield from ("", "All checks:")
        for finding in report.findings:
            yield from lines_of(finding)
        if report.settings:
            yield from ("", "Settings in force:", *report.lines_of_settings())
    else:
        yield from ("", _MORE)
    sentence, *lines = next_step(report, by_urgency(report.findings))
    yield from ("", *_wrapped(f"Next step: {sentence}"))
    if lines:
        yield from ("", *lines)


def by_urgency(findings: Iterable[Finding], *levels: Level) -> list[Finding]:
    """Return the findings of these levels, by default those that are not ok; the most urgent first."""
    order = [Level.BROKEN, Level.WARNING]
    areas = list(Area)
    found = [finding for finding in findings if finding.level in (levels or order)]
    return sorted(found, key=lambda each: (order.index(each.level), areas.index(area_of(each.check))))


def _head(report: Report) -> str:
    named = report.shown_value("service_name")
    service = "The telemetry" if named is None else f"The telemetry of {named}"
    counts = Counter(finding.level for finding in report.findings)
    if report.status:
        broken, warnings, fine = (counts[level] for level in (Level.BROKEN, Level.WARNING, Level.OK))
        return f"{service}: {broken} broken, {warnings} to look at, {fine} ok"
    return f"{service}: all {counts[Level.OK]} checks are ok"


def _fine(report: Report) -> Iterator[str]:
    """List the areas that are fine, each with a few words."""
    briefs: dict[Area, list[str]] = {}
    for finding in report.findings:
        if finding.level is Level.OK and finding.brief:
            briefs.setdefault(area_of(finding.check), []).append(finding.brief)
    if briefs:
        yield from ("", "Fine:")
    for area in Area:
        if area in briefs:
            yield from _entry(area, ", ".join(_joined(briefs[area])))


def _joined(briefs: Iterable[str]) -> Iterator[str]:
    """Say the first word of several once: takes traces, logs."""
    for first, same in groupby(dict.fromkeys(briefs), key=lambda brief: brief.partition(" ")[0]):
        beginning = f"{first} "
        yield beginning + ", ".join(brief.removeprefix(beginning) for brief in same)


def _problem(finding: Finding) -> Iterator[str]:
    yield from _entry(area_of(finding.check), f"{finding.text}  [{finding.check}]")
    if finding.advice:
        yield from _wrapped(finding.advice, f"{_INDENT}-> ", f"{_INDENT}   ")


def _entry(area: Area, text: str) -> list[str]:
    return _wrapped(text, f"  {area.value:<{_AREA}}  ", _INDENT)


def _wrapped(text: str, first: str = "", others: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        _COLUMNS,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )
