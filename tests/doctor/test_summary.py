"""The report for people: what is fine, what is not, and the next step."""

from __future__ import annotations

from pathlib import Path

import pytest

from breaker_exporter.__main__ import main
from breaker_exporter._doctor.report import Finding, Report, Setting, broken, ok, warning
from breaker_exporter._doctor.summary import by_urgency, lines_of_report
from breaker_exporter.testing import FaultyCollector
from breaker_exporter.testing.__main__ import parser

from ._findings import asked, in_force
from .test_command import at
from .test_conf import GEVENT, LINE

_SCREEN = 24, 80
"""Lines and columns of the smallest terminal that is common."""


def report_of(*findings: Finding, settings: dict[str, str] | None = None) -> list[str]:
    """The lines about these findings."""
    report = Report()
    for finding in findings:
        report.add(finding)
    report.settings.extend(Setting(name, value, "", "code") for name, value in (settings or {}).items())
    return list(lines_of_report(report, verbose=False))


def next_step(lines: list[str]) -> str:
    """The next step, in one line with what is to be typed; it is the end of the report."""
    (begin,) = [number for number, line in enumerate(lines) if line.startswith("Next step: ")]
    return " ".join(filter(None, lines[begin:])).removeprefix("Next step: ")


def test_all_is_well_on_one_screen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], collector: FaultyCollector
) -> None:
    at(monkeypatch, collector)
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "otlp")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "otlp")
    Path("gunicorn.conf.py").write_text(GEVENT + LINE)

    assert main(["doctor"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) < _SCREEN[0]
    assert max(map(len, lines)) < _SCREEN[1]
    assert lines[0].startswith("The telemetry of shop: all ")
    assert "  Gunicorn   worker class 'gevent', all three hooks" in lines
    (collectors,) = [line for line in lines if line.startswith("  collector")]
    assert collectors.endswith("takes traces, logs, metrics")
    assert next_step(lines).startswith("nothing to do. Try an outage: ")


def test_what_is_not_fine_comes_after_what_is_and_the_most_urgent_first() -> None:
    lines = report_of(
        warning("variable", "x is bad", "write a good one"),
        ok("otlp", "spans are answered", brief="takes traces"),
        broken("tcp-refused", "nothing listens", "start it"),
        warning("doctor-failed", "of nobody"),
        broken("hooks-missing", "no hooks", "add them"),
    )

    assert lines[0] == "The telemetry: 2 broken, 2 to look at, 1 ok"
    between = lines[1 : next(number for number, line in enumerate(lines) if line.endswith("--verbose"))]
    assert [line for line in between if line and "->" not in line] == [
        "Fine:",
        "  collector  takes traces",
        "Broken:",
        "  Gunicorn   no hooks  [hooks-missing]",
        "  collector  nothing listens  [tcp-refused]",
        "To look at:",
        "  settings   x is bad  [variable]",
        "  doctor     of nobody  [doctor-failed]",
    ]
    assert next_step(lines) == "add them [hooks-missing]"


def test_what_nothing_is_wrong_with_has_no_heading_for_it() -> None:
    lines = report_of(ok("sentry", "no Sentry"))

    assert lines[0] == "The telemetry: all 1 checks are ok"
    assert {"Fine:", "Broken:", "To look at:", "Not looked at:"}.isdisjoint(lines)


@pytest.mark.parametrize(
    ("protocol", "port", "expected"),
    [("http/protobuf", 9, "--http-port 9"), ("grpc", 9, "--grpc-port 9")],
)
def test_without_a_collector_here_ours_is_started_on_its_port(
    protocol: str, port: int, expected: str
) -> None:
    findings = asked(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        }
    )

    step = next_step(report_of(*findings))
    command, _, arguments = step.partition("python -m breaker_exporter.testing ")
    assert command == "start the collector. Without one of your own, in another terminal: "
    assert arguments == expected
    parser().parse_args(arguments.split())


def test_a_collector_elsewhere_or_with_tls_is_for_others_to_start() -> None:
    (finding,) = [
        each
        for each in asked({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://127.0.0.1:9"})
        if each.check == "tcp-refused"
    ]

    assert next_step(report_of(finding)).startswith("start the collector, or correct host and port")


def test_a_misspelt_variable_may_be_why_the_collector_is_not_reached() -> None:
    refused = broken("tcp-refused", "nothing listens", "start it")
    findings, _ = in_force({"OTEL_SERVICE_NAME": "x", "OTEL_EXPORTR_OTLP_ENDPOINT": "http://x:1"})
    (misspelt,) = [each for each in findings if each.check == "variable-unknown"]
    other = warning("variable", "OTEL_BSP_SCHEDULE_DELAY is bad", "write a good one")

    step = "rename OTEL_EXPORTR_OTLP_ENDPOINT to OTEL_EXPORTER_OTLP_ENDPOINT where it is set"
    assert next_step(report_of(refused, other, misspelt)) == step
    assert next_step(report_of(refused, other)) == "start it [tcp-refused]"
    assert next_step(report_of(broken("hooks-missing", "no hooks", "add them"), misspelt)).startswith("add")


def test_a_variable_that_is_to_be_changed_is_named() -> None:
    bad = warning("variable", "OTEL_BSP_SCHEDULE_DELAY must be a whole number", "write one")

    assert next_step(report_of(bad)) == "OTEL_BSP_SCHEDULE_DELAY: write one [variable]"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"OTEL_SERVICE_NAME": '"shop"'}, "remove the quotation marks around OTEL_SERVICE_NAME"),
        ({}, "name the service, where it is started: export OTEL_SERVICE_NAME=my-service"),
        (
            {"OTEL_SERVICE_NAME": "shop", "OTEL_SDK_DISABLED": "true"},
            "OTEL_SDK_DISABLED: remove the variable where that is not meant [sdk-disabled]",
        ),
    ],
)
def test_a_mistake_in_the_settings_is_mended_next(environ: dict[str, str], expected: str) -> None:
    assert next_step(report_of(*in_force(environ)[0])) == expected


def test_where_nothing_starts_the_exporters_they_are_wired_next() -> None:
    nothing = ok("conf-none", "no gunicorn.conf.py here")
    lines = report_of(nothing, settings={"endpoint": "http://localhost:4318", "traces_exporter": "otlp"})
    assert "Not looked at:" in lines
    assert lines[-2:] == (GEVENT + LINE).splitlines()

    zero_code = {"endpoint": "http://collector:4318", "traces_exporter": "breaker_otlp_proto_http"}
    assert next_step(report_of(nothing, settings=zero_code)).endswith("python -m breaker_exporter demo")


def test_each_level_has_its_own_order() -> None:
    slow, missing = warning("otlp-slow", "slow"), broken("package-missing", "missing")

    assert by_urgency([slow, ok("otlp", "well"), missing]) == [missing, slow]
