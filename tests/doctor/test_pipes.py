"""Command lines whose reader goes away, as in ``... | head -3``."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from breaker_exporter._base.command_line import until_nobody_reads

COMMANDS = {
    "doctor": ["breaker_exporter", "doctor", "--timeout", "0.5"],
    "doctor, as JSON": ["breaker_exporter", "doctor", "--timeout", "0.5", "--json"],
    "collector": ["breaker_exporter.testing", "--http-port", "0", "--grpc-port", "0"],
}
HELP = {
    "all": ["breaker_exporter"],
    "doctor": ["breaker_exporter", "doctor", "--help"],
    "demo": ["breaker_exporter", "demo", "--help"],
    "collector": ["breaker_exporter.testing", "--help"],
}


def unread(*arguments: str, stderr: int | None = None) -> tuple[int, str]:
    """Exit status and standard error of a command whose output goes into a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=writing if stderr is None else stderr,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        os.close(writing)
    return done.returncode, done.stderr or ""


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_nobody_reads_ends_without_a_word(command: str) -> None:
    status, said = unread(*COMMANDS[command], stderr=subprocess.PIPE)

    assert status == 141
    assert [
        line for line in said.splitlines() if not line.startswith(("ok: ", "broken: ", "warning: "))
    ] == []


def test_so_does_one_whose_progress_nobody_reads() -> None:
    assert unread(*COMMANDS["doctor, as JSON"])[0] == 141


@pytest.mark.parametrize("command", HELP)
def test_help_that_nobody_reads_is_no_error(command: str) -> None:
    status, said = unread(*HELP[command], stderr=subprocess.PIPE)

    assert status in (0, 141)
    assert said == ""


def test_a_pipe_that_breaks_elsewhere_is_an_error() -> None:
    def main() -> int:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        until_nobody_reads(main)


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_command_without_standard_output_or_error_has_its_exit_status(closed: str) -> None:
    """cron and some supervisors start programs so."""
    command = f'exec "$0" -m breaker_exporter doctor --timeout 0.5 {closed}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable],
        env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2, "nothing listens there"
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has it")
def test_output_that_cannot_be_written_is_an_exit_status_of_its_own() -> None:
    """1 would mean that the doctor has found something to look at."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "breaker_exporter", "doctor", "--timeout", "0.5"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 74
    assert done.stderr == f"the output cannot be written: {os.strerror(errno.ENOSPC)}\n"


def test_another_error_of_the_system_is_an_error() -> None:
    def main() -> int:
        raise OSError(errno.EPERM, "no")

    with pytest.raises(PermissionError):
        until_nobody_reads(main)
