"""Runs parts of the doctor, and what they find."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from breaker_exporter.__main__ import main
from breaker_exporter._doctor.network import collector
from breaker_exporter._doctor.report import Finding, Level, Report, Steps
from breaker_exporter._doctor.settings import effective
from breaker_exporter._doctor.settings.effective import EffectiveSettings
from breaker_exporter._doctor.settings.given import Given
from breaker_exporter._doctor.settings.recording import RecordingEnvironment
from breaker_exporter.otlp._signals import TRACES, Signal

STEP = 1.0
"""Seconds for each step over the network."""


def taken(steps: Steps[Any]) -> list[Finding]:
    """All findings of some steps."""
    report = Report(lambda _: None)
    report.take(steps)
    return report.findings


def bad(findings: list[Finding]) -> list[str]:
    """The checks that are not ok, each with its level."""
    return [f"{finding.level.value} {finding.check}" for finding in findings if finding.level is not Level.OK]


def in_force(
    environ: Mapping[str, str], given: Given | None = None
) -> tuple[list[Finding], EffectiveSettings]:
    """Return the findings about settings, and those that hold."""
    report = Report(lambda _: None)
    force = report.take(effective.examine(given or Given(), RecordingEnvironment(dict(environ))))
    return report.findings, force


def by_protocol(force: EffectiveSettings, signal: Signal = TRACES) -> tuple[str, ...]:
    """The protocols that a signal goes by."""
    return tuple(route.protocol for route in force.routes if route.signal is signal)


def asked(environ: Mapping[str, str], given: Given | None = None, step: float = STEP) -> list[Finding]:
    """Return the findings on the way to the collector."""
    return taken(collector.examine(in_force(environ, given)[1], step))


@dataclass(frozen=True)
class Diagnosis:
    """The output of the command with ``--json``."""

    status: int
    report: dict[str, Any]
    text: str

    @property
    def bad(self) -> list[str]:
        return [
            f"{finding['level']} {finding['check']}"
            for finding in self.report["findings"]
            if finding["level"] != "ok"
        ]

    def settings(self) -> dict[str, tuple[Any, str]]:
        """Value and source by name."""
        return {each["name"]: (each["value"], each["source"]) for each in self.report["settings"]}


def diagnosed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Diagnosis:
    """The whole command, in this process."""
    capsys.readouterr()
    status = main(["doctor", "--json", "--timeout", str(STEP), *arguments])
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert report["status"] == status
    return Diagnosis(status, report, said.out + said.err)
