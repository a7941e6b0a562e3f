"""Command lines whose reader goes away, as in ``... | head -3``."""

from __future__ import annotations

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
