"""The command line: arguments, what it needs, and exit statuses without a run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from breaker_exporter.__main__ import main
from breaker_exporter._demo.command import Perform, demo
from breaker_exporter._demo.plan import Plan
from breaker_exporter._demo.recording import Recording
from breaker_exporter._harness.interruption import Interrupted, Interruption
from breaker_exporter.testing import Fault

from ._marks import draws
from ._recordings import PLAN, good_run

WITHOUT = "import sys; sys.modules.update(dict.fromkeys(sys.argv.pop(1).split(','))); "
MAIN = "from breaker_exporter.__main__ import main; sys.exit(main(sys.argv[1:]))"


def run_without(modules: str, *arguments: str, main: str = MAIN) -> subprocess.CompletedProcess[str]:
    """The command where these modules are not installed."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + main, modules, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_without_a_command_the_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0

    said = capsys.readouterr().out
    assert "usage: python -m breaker_exporter" in said
    assert "demo" in said


def test_help_names_every_fault_and_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["demo", "--help"])

    assert ended.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert ", ".join(fault.value for fault in Fault) in said
    for default in ("grpc", "blackhole", "50", "demo.png"):
        assert f"(default: {default})" in said


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["dome"], "invalid choice: 'dome'"),
        (["demo", "--speed", "9"], "unrecognized arguments: --speed 9"),
        (["demo", "--fault", "gremlins"], "invalid choice: 'gremlins'"),
        (["demo", "--protocol", "udp"], "invalid choice: 'udp'"),
        (["demo", "--rate", "19"], "must be a number from 20 to 200, not '19'"),
        (["demo", "--rate", "nan"], "must be a number from 20 to 200, not 'nan'"),
        (["demo", "--rate", "fast"], "must be a number from 20 to 200, not 'fast'"),
        (["demo", "--plot", "/no/such/place/demo.png"], "must be a file that can be written"),
        (["demo", "--plot", "/"], "must be a file that can be written, not '/'"),
        (["demo", "--plot", "a.png", "--no-plot"], "not allowed with argument --plot"),
    ],
)
def test_a_mistake_on_the_command_line_is_named(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("modules", "arguments", "said"),
    [
        ("rich", [], "rich is missing"),
        ("matplotlib", [], "matplotlib is missing"),
        ("gunicorn,gevent", ["--no-plot"], "gevent and gunicorn are missing"),
        ("packaging", ["--no-plot"], "packaging is missing"),
        (
            "grpc,opentelemetry.exporter.otlp.proto.grpc",
            [],
            "grpc and opentelemetry.exporter.otlp.proto.grpc are missing",
        ),
        (
            "opentelemetry.exporter.otlp.proto.http",
            ["--protocol", "http"],
            "opentelemetry.exporter.otlp.proto.http is missing",
        ),
    ],
)
def test_a_missing_package_is_one_line_with_the_remedy(modules: str, arguments: list[str], said: str) -> None:
    done = run_without(modules, "demo", *arguments)

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"the demo cannot run: {said}; pip install 'breaker-exporter[demo]'\n"


def test_a_missing_parent_package_is_named_like_any_other() -> None:
    done = run_without("opentelemetry.exporter.otlp", "demo", "--protocol", "http", "--rate", "30")

    assert done.returncode == 2
    assert "opentelemetry.exporter.otlp.proto.http is missing" in done.stderr


def test_the_package_can_be_run() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "breaker_exporter"], capture_output=True, text=True, timeout=30, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "demo" in done.stdout


def recorded(recording: Recording) -> Perform:
    """A run that was made before."""

    def perform(plan: Plan, watch: Callable[[Recording], None], check: Callable[[], None]) -> Recording:
        check()
        watch(recording)
        return recording

    return perform


@draws
def test_the_exit_status_is_0_when_every_promise_was_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plot = tmp_path / "demo.png"

    assert demo(PLAN, plot, recorded(good_run())) == 0

    said = capsys.readouterr().out
    assert f"Plot: {plot}" in said
    assert "All promises kept; took" in said
    assert plot.exists()


def test_the_exit_status_is_1_when_a_promise_was_broken(capsys: pytest.CaptureFixture[str]) -> None:
    recording = good_run()
    recording.ours.stopped_after = None

    assert demo(PLAN, None, recorded(recording)) == 1

    said = capsys.readouterr().out
    assert "Plot" not in said
    assert "1 of 13 promises broken; took" in said


@pytest.mark.parametrize("error", [OSError("disk full"), RuntimeError("the collector cannot start: no port")])
def test_a_failed_run_is_reported_in_one_line(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    def perform(plan: Plan, watch: Callable[[Recording], None], check: Callable[[], None]) -> Recording:
        raise error

    assert demo(PLAN, None, perform) == 1
    assert capsys.readouterr().err == f"the demo failed: {error}\n"


def test_an_interrupted_run_has_the_status_that_a_shell_expects(capsys: pytest.CaptureFixture[str]) -> None:
    def perform(plan: Plan, watch: Callable[[Recording], None], check: Callable[[], None]) -> Recording:
        os.kill(os.getpid(), signal.SIGINT)
        check()
        raise AssertionError

    assert demo(PLAN, None, perform) == 130
    assert capsys.readouterr().err == "interrupted by SIGINT; no process is left\n"


def test_the_limit_of_open_files_is_raised_as_far_as_allowed() -> None:
    code = (
        "import resource; from breaker_exporter._harness.processes import allow_many_sockets; "
        "limit = resource.RLIMIT_NOFILE; resource.setrlimit(limit, (256, 512)); "
        "allow_many_sockets(); allow_many_sockets(); print(*resource.getrlimit(limit))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )

    assert done.stdout == "512 512\n"


def test_a_package_that_a_run_does_not_use_is_not_missing() -> None:
    code = (
        "from breaker_exporter._demo.command import missing; "
        "print(*missing('http', None), *missing('grpc', None))"
    )
    done = run_without("matplotlib,grpc,opentelemetry.exporter.otlp.proto.grpc", main=code)

    assert done.stdout.split() == ["grpc", "opentelemetry.exporter.otlp.proto.grpc"]


def test_help_needs_nothing_but_the_package() -> None:
    done = run_without("rich,matplotlib,gunicorn,gevent,grpc,requests", "demo", "--help")

    assert done.returncode == 0
    assert done.stderr == ""


def test_a_signal_is_raised_by_the_next_check() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interruption() as interruption:
        interruption.check()
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted, match="SIGTERM") as interrupted:
            interruption.check()

    assert interrupted.value.status == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_ignored_signal_stays_ignored() -> None:
    """As SIGHUP under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            os.kill(os.getpid(), signal.SIGHUP)
            interruption.check()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_plot_may_replace_an_older_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = tmp_path / "demo.png"
    old.touch(mode=0o600)
    with pytest.raises(SystemExit):
        main(["demo", "--plot", str(old), "--rate", "0"])

    assert "--plot" not in capsys.readouterr().err.splitlines()[-1]
