"""The command: its arguments, its exit status, its two forms of a report."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from breaker_exporter.__main__ import main
from breaker_exporter._doctor import command
from breaker_exporter._doctor.gunicorn import configuration as conf
from breaker_exporter._doctor.gunicorn import stopping
from breaker_exporter._doctor.report import Report, Setting, Steps, broken, ok, warning
from breaker_exporter._doctor.settings import effective
from breaker_exporter.testing import Fault, FaultyCollector

from ..demo.test_command import run_without
from ._findings import diagnosed
from .test_conf import GEVENT, LINE, MAKE


def at(monkeypatch: pytest.MonkeyPatch, collector: FaultyCollector) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.http_base)


def test_a_healthy_service_is_status_0(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], collector: FaultyCollector
) -> None:
    at(monkeypatch, collector)
    Path("gunicorn.conf.py").write_text(GEVENT + LINE)

    found = diagnosed(capsys)

    assert (found.status, found.bad) == (0, [])
    assert set(found.report) == {"status", "findings", "settings", "versions"}
    assert all(set(each) == {"level", "check", "text", "advice"} for each in found.report["findings"])
    assert all(set(each) == {"name", "value", "unit", "source"} for each in found.report["settings"])
    assert "ok: otlp\n" in found.text


def test_warnings_are_status_1_and_what_is_broken_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], collector: FaultyCollector
) -> None:
    at(monkeypatch, collector)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "5000")
    assert diagnosed(capsys).status == 1
    collector.fault = Fault.REFUSE
    assert diagnosed(capsys).status == 2


def test_what_the_configuration_gives_is_in_force_and_gone_afterwards(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], collector: FaultyCollector
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    Path("own.py").write_text(
        MAKE
        + f"import os\nos.environ['OTEL_EXPORTER_OTLP_ENDPOINT'] = {collector.http_base!r}\n"
        + "os.environ['OTEL_SERVICE_NAME'] = 'shop'\ndel os.environ['OTEL_EXPORTER_OTLP_COMPRESSION']\n"
        + "post_fork, post_worker_init, worker_exit = hooks(Telemetry(cooldown=4.0))\n"
    )
    for _ in range(2):
        found = diagnosed(capsys, "--conf", "own.py")
        assert found.status == 0
        settings = found.settings()
        assert settings["service_name"] == ("shop", "OTEL_SERVICE_NAME")
        assert settings["compression"] == ("none", "default")
        assert settings["cooldown"] == (4.0, "code")
    Path("own.py").unlink()
    assert diagnosed(capsys).settings()["compression"] == ("gzip", "OTEL_EXPORTER_OTLP_COMPRESSION")


def test_a_verbose_report_has_a_line_for_each_finding_and_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], collector: FaultyCollector
) -> None:
    at(monkeypatch, collector)
    assert main(["doctor", "--verbose"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "ok       an empty request for spans is answered: HTTP 200" in said.out
    assert "  cooldown               15.0 s" in said.out

    collector.set_fault(Fault.STATUS, status=401)
    assert main(["doctor", "-v", "--timeout", "1"]) == 2
    said = capsys.readouterr()
    assert "broken   the collector's answer to spans is HTTP 401: " in said.out
    assert "  [http-401]\n         -> check the credentials" in said.out


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "601", "soon"])
def test_a_timeout_that_is_none(capsys: pytest.CaptureFixture[str], seconds: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--timeout", seconds])

    assert ended.value.code == 2
    assert "must be a number of seconds, above 0 and at most 600" in capsys.readouterr().err


def test_ctrl_c_shows_what_was_found_and_is_the_status_that_a_shell_expects(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(report: Report, *_: object) -> None:
        report.add(ok("otlp", "spans are answered"))
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "examine", interrupted)

    assert main(["doctor"]) == 130
    assert capsys.readouterr() == ("ok       spans are answered  [otlp]\n", "interrupted by SIGINT\n")
    assert main(["doctor", "--json"]) == 130
    assert capsys.readouterr() == ("", "ok: otlp\ninterrupted by SIGINT\n")


def test_it_needs_nothing_but_the_package() -> None:
    missing = "rich,matplotlib,gunicorn,gevent,grpc,sentry_sdk"
    shown = run_without(missing, "doctor", "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "--conf" in shown.stdout

    done = run_without(f"{missing},requests,urllib3,certifi", "doctor", "--json", "--timeout", "0.5")
    assert "Traceback" not in done.stderr
    report = json.loads(done.stdout)
    assert report["status"] == done.returncode == 2
    checks = [finding["check"] for finding in report["findings"]]
    assert "package-unusable" in checks
    assert "tcp-refused" in checks


def test_a_variable_on_which_opentelemetry_raises_is_one_finding(collector: FaultyCollector) -> None:
    more = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_base, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "lots"}
    done = subprocess.run(
        [sys.executable, "-m", "breaker_exporter", "doctor", "--json"],
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    findings = json.loads(done.stdout)["findings"]
    assert [each["check"] for each in findings if each["level"] != "ok"] == ["variable"]


def test_a_report_hides_what_it_was_told_to_hide() -> None:
    told: list[str] = []
    report = Report(lambda finding: told.append(finding.text))
    report.hide(["canary5ecret", "canary5ecret longer", "x"])
    report.settings.append(Setting("endpoint", "http://canary5ecret/x", "", "code"))
    report.settings.append(Setting("cooldown", 15.0, "s", "default"))

    assert report.status == 0
    report.add(ok("otlp", "x: canary5ecret\nlonger, canary5ecret longer"))
    report.add(warning("otlp-slow", "b", "canary5ecret", "canary5ecret", ("canary5ecret",)))
    assert report.status == 1
    report.add(broken("otlp-silent", "c"))
    assert report.status == 2
    assert told[0] == "x: *** longer, ***"
    assert "canary5ecret" not in json.dumps(report.as_json()) + "".join(report.lines_of_settings())
    assert "canary5ecret" not in str(report.findings)
    assert report.shown_value("endpoint") == "http://***/x"
    assert report.as_json()["settings"][1]["value"] == 15.0  # type: ignore[index]


def failing(*_: object) -> None:
    raise RuntimeError("canary5ecret")


def test_a_part_that_fails_itself_is_a_finding_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], collector: FaultyCollector
) -> None:
    def fail(*_: object) -> Steps[None]:
        yield ok("timeouts", "before")
        failing()

    at(monkeypatch, collector)
    monkeypatch.setattr(stopping, "examine", fail)
    monkeypatch.setattr(conf, "examine", fail)
    found = diagnosed(capsys)

    assert (found.status, found.bad) == (1, ["warning doctor-failed"] * 2)
    (first, second) = [each for each in found.report["findings"] if each["check"] == "doctor-failed"]
    assert "failed at Gunicorn's configuration: RuntimeError in " in first["text"]
    assert "failed at the time for stopping: RuntimeError in " in second["text"]
    assert "ok: timeouts\n" in found.text
    assert "ok: otlp\n" in found.text
    assert "canary5ecret" not in found.text


def test_without_settings_nobody_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> Steps[None]:
        yield ok("timeouts", "before")
        failing()

    monkeypatch.setattr(effective, "examine", fail)

    assert main(["doctor", "--verbose"]) == 1
    said = capsys.readouterr()
    assert "the doctor itself failed at the settings: RuntimeError in " in said.out
    assert "Settings in force:" not in said.out
    assert "canary5ecret" not in said.out + said.err


class Terminal(io.StringIO):
    """Standard error that somebody watches."""

    def isatty(self) -> bool:
        return True


def test_somebody_who_watches_sees_what_is_looked_at_and_nobody_else_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())

    assert main(["doctor"]) == 1
    shown = terminal.getvalue().split(command._CLEAR_LINE)
    assert shown[1] == "looking at what is installed ..."
    assert "looking at the way to the collector ..." in shown
    assert shown[-1] == ""
    assert "looking at" not in capsys.readouterr().out
