"""The command ``doctor``: its arguments, the order in which it looks, and its exit status."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Iterator

from .._env import adopted
from .finding import Finding, Report, lines_of

_STEP = 5.0
"""Seconds for each step over the network."""
_INTERRUPTED = 130
"""What a shell expects after Ctrl-C."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Make `parser` the one of this command; it leaves what to run in ``run``."""
    parser.description = (
        "Looks at the telemetry as it is set up here: versions, Gunicorn's configuration and its hooks, "
        "the settings in force and where each comes from, the way to the collector (name, TCP, TLS, an "
        "empty OTLP request) and to Sentry, and the time for stopping. Each finding has an advice. No span "
        "and no event is sent, and no credentials are shown. Exit status: 0 where all is well, 1 with "
        "warnings, 2 where something is broken."
    )
    parser.add_argument(
        "--conf",
        metavar="PATH",
        help="Gunicorn's configuration, as its --config takes it: a file, or python:MODULE (default: as "
        "Gunicorn finds it, in GUNICORN_CMD_ARGS or ./gunicorn.conf.py). It is executed, in a process of "
        "its own",
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=_STEP,
        metavar="SECONDS",
        help="for each step over the network (default: %(default)g); for the answer of the collector at "
        "least 2 s more than the exporter would wait",
    )
    parser.add_argument("--json", action="store_true", help="the report as JSON; progress goes to stderr")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    def progress(finding: Finding) -> None:
        sys.stderr.write(f"{finding.level.value}: {finding.check}\n")

    def tell(finding: Finding) -> None:
        _say(lines_of(finding))

    report = Report(progress if options.json else tell)
    try:
        examine(report, options.conf, options.timeout)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted by SIGINT\n")
        return _INTERRUPTED
    if options.json:
        _say([json.dumps(report.as_json(), indent=2)])
    else:
        _say(["", "settings in force:", *report.lines_of_settings(), "", *_conclusion(report)])
    return report.status


def examine(report: Report, conf_path: str | None, step: float) -> None:
    """Look at everything, from what is installed to the collector.

    Args:
        report: Where findings go.
        conf_path: Gunicorn's configuration, if one was named.
        step: Seconds for each step over the network.
    """
    from . import collector, conf, inforce, secrets, sentry, stopping, versions
    from .listening import Listening

    report.take(versions.look(report))
    found = report.take(conf.examine(conf_path))
    with adopted(found.changes):
        environment = Listening()
        report.hide(secrets.secrets_of(found.given, environment))
        force = report.take(inforce.settle(found.given, environment))
        report.settings.extend(force.rows)
        report.take(stopping.examine(found, force))
        report.take(collector.examine(force, step))
        settings = report.take(sentry.settle(force))
        if settings is not None:
            report.settings.extend(sentry.rows(settings, force))
            report.take(sentry.examine(settings, step))


def _conclusion(report: Report) -> Iterator[str]:
    counts = Counter(finding.level.value for finding in report.findings)
    if report.status:
        yield f"{counts['broken']} broken, {counts['warning']} to look at, {counts['ok']} ok"
    else:
        yield f"all {counts['ok']} checks are ok"


def _say(lines: list[str]) -> None:
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
