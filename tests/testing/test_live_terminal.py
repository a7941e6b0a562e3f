"""The terminal of the live table: writing never waits, and in the background nothing is written."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import struct
import sys
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from breaker_exporter.testing.__main__ import _by_hand, parser
from breaker_exporter.testing._arrivals import Arrivals
from breaker_exporter.testing._live.terminal import Terminal
from breaker_exporter.testing._live.view import LiveView
from breaker_exporter.testing._server import CollectorServer

_LFLAG = 3
_WAIT = 20.0


class Shared(Terminal):
    """A terminal that a shell may take away."""

    foreground = True

    @property
    def is_ours(self) -> bool:
        return self.foreground


def written_to(end: int) -> bytes:
    """Return the bytes written so far to the other end of a pseudo-terminal."""
    found = b""
    with contextlib.suppress(BlockingIOError):
        while data := os.read(end, 65_536):
            found += data
    return found


async def until_shown(end: int, text: bytes) -> None:
    found = b""
    async with asyncio.timeout(_WAIT):
        while text not in found:
            await asyncio.sleep(0.01)
            found += written_to(end)


@dataclass
class Line:
    """Both ends of a pseudo-terminal."""

    terminal: Shared
    other: int

    def read(self) -> bytes:
        """What has been written by now."""
        return written_to(self.other)

    @property
    def collects_lines(self) -> bool:
        return bool(termios.tcgetattr(self.other)[_LFLAG] & termios.ICANON)


@pytest.fixture
def line() -> Iterator[Line]:
    ours, theirs = os.openpty()
    os.set_blocking(ours, False)
    terminal = Shared(os.ttyname(theirs))
    yield Line(terminal, ours)
    terminal.close()
    os.close(theirs)
    os.close(ours)


def test_a_terminal_that_takes_nothing_holds_nobody_up(line: Line) -> None:
    line.terminal.enter()
    text = b"x" * 1_000_000

    assert line.terminal.write(text) == len(text)
    assert line.terminal.is_behind
    shown = 0
    deadline = time.monotonic() + _WAIT
    while line.terminal.is_behind and time.monotonic() < deadline:
        shown += len(line.read())
        line.terminal.push()
    shown += len(line.read())

    assert shown == len(text)
    line.terminal.leave()


def test_what_it_never_takes_is_given_up_in_the_end(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("breaker_exporter.testing._live.terminal._LAST_WORDS", 0.01)
    line.terminal.enter()
    line.terminal.write(b"x" * 1_000_000)

    line.terminal.leave()

    assert not line.terminal.is_behind
    assert line.collects_lines


def test_a_write_that_would_wait_is_put_off(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(_: int, data: bytes) -> int:
        raise BlockingIOError

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", taken)
        line.terminal.write(b"later")
    assert line.terminal.is_behind

    line.terminal.push()

    assert line.read() == b"later"


def test_in_the_background_the_terminal_is_left_alone(line: Line) -> None:
    line.terminal.enter()
    line.terminal.foreground = False

    line.terminal.write(b"nobody wants this")
    line.terminal.leave()

    assert line.read() == b""
    assert not line.collects_lines  # it is the shell's to change


def test_a_terminal_of_no_session_is_ours() -> None:
    ours, theirs = os.openpty()
    terminal = Terminal(os.ttyname(theirs))
    try:
        assert terminal.is_ours
    finally:
        terminal.close()
        terminal.close()
        os.close(theirs)
        os.close(ours)


def test_keys_are_read_without_waiting(line: Line) -> None:
    line.terminal.enter()

    assert line.terminal.keys() == ""
    os.write(line.other, b"b")
    assert line.terminal.keys() == "b"
    line.terminal.leave()


def test_a_terminal_that_is_gone_has_no_more_keys() -> None:
    ours, theirs = os.openpty()
    terminal = Terminal(os.ttyname(theirs))
    os.close(theirs)
    os.close(ours)

    assert terminal.keys() is None
    terminal.close()


def test_a_terminal_that_fails_has_no_more_keys(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_: int, count: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "read", read)
        assert line.terminal.keys() is None


@pytest.mark.parametrize(("given", "size"), [((40, 120), (120, 40)), ((0, 0), (80, 24))])
def test_its_size_is_known_or_assumed(line: Line, given: tuple[int, int], size: tuple[int, int]) -> None:
    fcntl.ioctl(line.other, termios.TIOCSWINSZ, struct.pack("HHHH", *given, 0, 0))

    assert line.terminal.size == size


def test_the_table_rests_in_the_background(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("breaker_exporter.testing._live.view._EVERY", 0.01)

    async def until_quiet() -> None:
        async with asyncio.timeout(_WAIT):
            while line.read():
                await asyncio.sleep(0.2)

    async def show() -> None:
        arrivals = Arrivals()
        server = CollectorServer(0, 0, 0, arrivals)
        await server.start()
        view = LiveView(server, arrivals, line.terminal, lambda: None)
        showing = asyncio.create_task(view.run())
        try:
            await until_shown(line.other, b"What arrives")
            line.terminal.foreground = False
            await until_quiet()
            line.terminal.foreground = True
            await until_shown(line.other, b"What arrives")
            line.terminal.write(b"x" * 1_000_000)
            await until_shown(line.other, b"What arrives")
        finally:
            showing.cancel()
            await asyncio.wait([showing])
            await server.stop()

    asyncio.run(show())


@pytest.mark.parametrize("found_by", ["its keys", "the next picture"])
def test_a_window_that_is_closed_ends_the_command_without_a_word(
    found_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = os.openpty()
    os.set_blocking(ours, False)
    monkeypatch.setattr("breaker_exporter.testing._live.view._EVERY", 3_600.0)
    if found_by == "the next picture":
        monkeypatch.setattr(Terminal, "keys", lambda _: "")
    monkeypatch.setenv("TERM", "xterm")

    async def run() -> None:
        arrivals, stop = Arrivals(), asyncio.Event()
        server = CollectorServer(0, 0, 0, arrivals)
        await server.start()
        try:
            async with asyncio.timeout(_WAIT):
                command = asyncio.create_task(_by_hand(server, arrivals, parser().parse_args([]), stop))
                await until_shown(ours, b"What arrives")
                os.close(ours)
                await command
        finally:
            await server.stop()

    with open(theirs, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        asyncio.run(run())
