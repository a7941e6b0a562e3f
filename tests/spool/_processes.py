"""Forked processes that do as they are told, and may be stopped and killed while they do."""

from __future__ import annotations

import os
import select
import signal
import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..semantics._children import wait_for
from ..semantics._waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STEPS = frozenset({"fcntl.lockf", "open", "os.mkdir", "os.remove", "os.rename", "os.scandir"})
"""What Python reports before it does it."""


class Line:
    """One side of a conversation between two processes."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading = reading
        self._writing = writing

    def say(self, word: str = "go on") -> None:
        os.write(self._writing, f"{word}\n".encode())

    def hear(self, within: float = PATIENCE) -> str:
        """Return what the other says next; fail where it says nothing.

        Raises:
            EOFError: It has ended, or does not need us any more.
        """
        heard = b""
        while not heard.endswith(b"\n"):
            ready, _, _ = select.select([self._reading], [], [], within)
            assert ready, "the other process says nothing"
            byte = os.read(self._reading, 1)
            if not byte:
                raise EOFError
            heard += byte
        return heard.decode().strip()

    def close(self) -> None:
        os.close(self._reading)
        os.close(self._writing)


class Process(Line):
    """A forked child."""

    def __init__(self, pid: int, reading: int, writing: int) -> None:
        super().__init__(reading, writing)
        self.pid = pid
        self._is_stopped = False
        self._status: int | None = None

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)
        os.waitpid(self.pid, os.WUNTRACED)
        self._is_stopped = True

    def wait(self) -> int:
        """Return its exit status."""
        if self._status is None:
            self._status = wait_for(self.pid)
        return self._status

    def end(self) -> None:
        """Let it end by itself: it may have to write down what coverage has seen."""
        self.close()
        if self._is_stopped:
            self.kill()
        self.wait()


@contextmanager
def process(run: Callable[[Line], None]) -> Iterator[Process]:
    """Fork a child that runs `run`, and that ends with the context."""
    from_parent, to_child = os.pipe()
    from_child, to_parent = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(to_child)
        os.close(from_child)
        os._exit(_status_of(run, Line(from_parent, to_parent)))
    os.close(from_parent)
    os.close(to_parent)
    child = Process(pid, from_child, to_child)
    try:
        yield child
    finally:
        child.end()


def _status_of(run: Callable[[Line], None], line: Line) -> int:
    try:
        run(line)
    except EOFError:
        return 0
    except BaseException:
        sys.stderr.write(traceback.format_exc())
        sys.stderr.flush()
        return 1
    return 0


def just_before(event: str, act: Callable[[], object], name: str | None = None) -> None:
    """Act once, before this process next does what Python reports so; for forked children.

    Args:
        event: What Python reports.
        act: What happens before it.
        name: The file that it is to be done to; without it, any.
    """
    waiting = [act]

    def look(happening: str, arguments: tuple[object, ...]) -> None:
        if happening == event and waiting and name in (None, arguments[0]):
            waiting.pop()()

    sys.addaudithook(look)


def die_at(step: int, run: Callable[[], object]) -> bool:
    """Run something in a child that is killed just before its step of that number; true where it was."""

    def killed(_: Line) -> None:
        steps, has_ended = iter(range(step)), False
        pid = os.getpid()

        def count(event: str, _: object) -> None:
            if event in STEPS and not has_ended and next(steps, None) is None:
                os.kill(pid, signal.SIGKILL)

        sys.addaudithook(count)
        run()
        has_ended = True  # what follows is the tests' own

    with process(killed) as child:
        status = child.wait()
    assert status in (0, -signal.SIGKILL), f"the child ended with {status}"
    return status != 0
