"""The one thing that is most useful to do now."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from .check import Area
from .declared import area_of
from .gunicorn.checks import LINE
from .report import Finding, Report

_LOCAL = ("//localhost", "//127.0.0.1", "//[::1]")
"""Parts of an endpoint on this machine."""
_MAY_BE_WHY = ("variable", "variable-unknown", "value-quoted", "value-unexpanded")
"""Checks of settings for which the collector may be looked for in the wrong place."""
_VARIABLE = re.compile(r"[A-Z]+_[A-Z_]+(?= )")
_WIRE = (
    "nothing is wrong, but the doctor sees nothing that starts the exporters. Unless your code starts a "
    "Telemetry, write these lines into gunicorn.conf.py, or run the doctor in the folder that has it:",
    'worker_class = "gevent"',
    LINE,
)
_TRY_IT = (
    "nothing to do. Try an outage: stop the collector while the service gets requests, and start it again. "
    "Requests are answered all the while, and the log says what was kept and sent again.",
)
_WATCH_ONE = (
    "nothing to do. To watch an outage without causing one here (it needs the extra demo):",
    "python -m breaker_exporter demo",
)


def next_step(report: Report, urgent: Sequence[Finding]) -> tuple[str, ...]:
    """Return a sentence, and the lines to type or to write, if there are any.

    Args:
        report: Everything that was found.
        urgent: What is not ok, the most urgent first.
    """
    if urgent:
        finding = next(_causes(urgent), urgent[0])
        variable = _VARIABLE.match(finding.text)
        of = f"{variable[0]}: " if variable else ""
        return finding.todo or (f"{of}{finding.advice} [{finding.check}]",)
    settings = {row.name: row.value for row in report.settings}
    if any(each.check == "conf-none" for each in report.findings) and not _is_zero_code(settings):
        return _WIRE
    is_here = any(here in str(settings.get("endpoint")) for here in _LOCAL)
    return _TRY_IT if is_here else _WATCH_ONE


def _causes(urgent: Sequence[Finding]) -> Iterator[Finding]:
    """Return the mistakes in variables that may be why the collector is not reached."""
    if area_of(urgent[0].check) is Area.COLLECTOR:
        yield from (each for each in urgent if each.check in _MAY_BE_WHY and "OTLP" in each.text)


def _is_zero_code(settings: Mapping[str, object]) -> bool:
    exporters = (str(value) for name, value in settings.items() if name.endswith("_exporter"))
    return any("breaker_" in named for named in exporters)
