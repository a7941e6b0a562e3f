"""The command ``doctor``: its arguments, the order in which it looks, and its exit status."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from .._base.environment import adopted
from .._base.redaction import origin
from .check import WARNING, Check
from .report import Finding, Report, Steps, lines_of, warning

if TYPE_CHECKING:
    from .gunicorn.configuration import Conf
    from .settings.effective import EffectiveSettings
    from .settings.given import Given
    from .settings.recording import RecordingEnvironment

T = TypeVar("T")

CHECKS = (
    Check(
        "doctor-failed",
        (WARNING,),
        "a part of the doctor itself failed, and was not looked at, or not wholly",
        "report it as a bug of breaker-exporter",
    ),
)
_STEP = 5.0
"""Seconds for each step over the network."""
_INTERRUPTED = 130
"""The exit status that a shell expects after Ctrl-C."""
_CLEAR_LINE = "\r\x1b[K"
"""Moves to the beginning of a line, and empties it."""
_ABOUT = (
    "Looks at the telemetry as it is set up here: versions, Gunicorn's configuration and its hooks, the "
    "settings in force and where each comes from, the way to the collector (name, TCP, TLS, an empty OTLP "
    "request) and to Sentry, the memory and the disk for an outage and the time for stopping. It says what "
    "is fine, what is not, and in the end what to do next. No span and no event is sent, and no credentials "
    "are shown. Exit status: 0 where all is well, 1 with warnings, 2 where something is broken."
)
_CONF = (
    "Gunicorn's configuration, as its --config takes it: a file, or python:MODULE (default: as Gunicorn "
    "finds it, in GUNICORN_CMD_ARGS or ./gunicorn.conf.py). It is executed, in a process of its own"
)
_TIMEOUT = (
    "for each step over the network (default: %(default)g); for the answer of the collector at least 2 s "
    "more than the exporter would wait"
)

_VERBOSE = "show every check, and every setting in force with its source; JSON has them always"


def configure(parser: argparse.ArgumentParser) -> None:
    """Make `parser` the one of this command; it leaves what to run in ``run``."""
    parser.description = _ABOUT
    parser.add_argument("--conf", metavar="PATH", help=_CONF)
    parser.add_argument("--timeout", type=_seconds, default=_STEP, metavar="SECONDS", help=_TIMEOUT)
    parser.add_argument("-v", "--verbose", action="store_true", help=_VERBOSE)
    parser.add_argument("--json", action="store_true", help="the report as JSON; progress goes to stderr")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from .summary import lines_of_report

    report = Report(_tell_check) if options.json else Report(begin=_show_part)
    try:
        examine(report, options.conf, options.timeout)
    except KeyboardInterrupt:
        _show_part("")
        if not options.json:
            _say([line for finding in report.findings for line in lines_of(finding)])
        sys.stderr.write("interrupted by SIGINT\n")
        return _INTERRUPTED
    if options.json:
        _say([json.dumps(report.as_json(), indent=2)])
    else:
        _show_part("")
        _say(lines_of_report(report, verbose=options.verbose))
    return report.status


def _tell_check(finding: Finding) -> None:
    sys.stderr.write(f"{finding.level.value}: {finding.check}\n")


def _show_part(part: str) -> None:
    """Show what is being looked at, in place of what was shown before; nothing where nobody watches."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{_CLEAR_LINE}{part and f'looking at {part} ...'}")
        sys.stderr.flush()


def examine(report: Report, conf_path: str | None, step: float) -> None:
    """Look at everything, from what is installed to the collector; `step` seconds for each network step."""
    from . import memory, versions
    from .gunicorn import configuration, stopping
    from .network import collector
    from .settings.given import Given

    _hide_secrets(report, Given())
    _try(report, "what is installed", versions.look(report))
    conf = _try(report, "Gunicorn's configuration", configuration.examine(conf_path)) or configuration.Conf()
    with adopted(conf.changes):
        effective = _try(report, "the settings", _settings(report, conf))
        if effective is None:
            return
        _try(report, "the time for stopping", stopping.examine(conf, effective.settings.shutdown_timeout))
        _try(report, "the memory of retention", memory.examine(conf.workers, effective.settings.retention))
        _try(report, "the directory of retention", _directory(conf, effective))
        _try(report, "the way to the collector", collector.examine(effective, step))
        _try(report, "Sentry", _sentry(report, effective, step))


def _try(report: Report, part: str, steps: Steps[T]) -> T | None:
    """Take the findings of a part; one that fails itself is a finding, and the others have their turn."""
    report.begin(part)
    try:
        return report.take(steps)
    except Exception as error:
        text = f"the doctor itself failed at {part}: {origin(error)}"
        advice = "report this as a bug of breaker-exporter: that part is not looked at, or not wholly"
        report.add(warning("doctor-failed", text, advice))
        return None


def _hide_secrets(report: Report, given: Given) -> RecordingEnvironment:
    from . import secrets
    from .settings.recording import RecordingEnvironment

    environment = RecordingEnvironment()
    report.hide(secrets.secrets_of(given, environment))
    return environment


def _settings(report: Report, conf: Conf) -> Steps[EffectiveSettings]:
    from .settings import effective

    found = yield from effective.examine(conf.given, _hide_secrets(report, conf.given))
    report.settings.extend(found.rows)
    return found


def _directory(conf: Conf, effective: EffectiveSettings) -> Steps[None]:
    from .disk import directory

    retention, is_fatal = effective.settings.retention, effective.environment.strict
    return directory.examine(conf.workers, retention, effective.service, is_fatal=is_fatal)


def _sentry(report: Report, effective: EffectiveSettings, step: float) -> Steps[None]:
    from .network import sentry

    settings = yield from sentry.settled(effective)
    if settings is not None:
        report.settings.extend(sentry.rows(settings, effective))
        yield from sentry.examine(settings, step)


def _say(lines: Iterable[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if 0 < seconds <= 600 and math.isfinite(seconds):
        return seconds
    raise argparse.ArgumentTypeError(f"must be a number of seconds, above 0 and at most 600, not {text!r}")
