"""Forked children that check something and report by their exit status."""

from __future__ import annotations

import io
import os
import sys
import traceback
from typing import TYPE_CHECKING

from ._waiting import native, start, until

if TYPE_CHECKING:
    from collections.abc import Callable

_STUCK = 98


def in_child(check: Callable[[], None], *, within: float = 20.0) -> None:
    """Fork, run ``check`` in the child, and fail here with what it failed with there, or when it is stuck."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os._exit(_checked(check, writing, within))
    native("os", "close")(writing)  # gevent's closes when its loop runs, which reading would hold up
    with os.fdopen(reading) as report:
        status = wait_for(pid, within=within + 10)
        said = report.read()
    assert status == 0, f"the child ended with {status}\n{said}"


def wait_for(pid: int, *, within: float = 20.0) -> int:
    """Return the exit status of ``pid``; kill it and fail where it has none ``within`` seconds."""
    status: list[int] = []

    def ended() -> bool:
        done, code = os.waitpid(pid, os.WNOHANG)
        if done:
            status.append(os.waitstatus_to_exitcode(code))
        return bool(done)

    try:
        until(ended, within=within)
    except AssertionError:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        raise
    return status[0]


def _checked(check: Callable[[], None], report: int, within: float) -> int:
    try:
        checking = start(check)
        until(checking.done, within=within)
        checking.result()
    except BaseException:
        os.write(report, traceback.format_exc().encode()[-30_000:])
        _write_stacks(report)
        return _STUCK
    return 0


def _write_stacks(report: int) -> None:
    for frame in sys._current_frames().values():
        os.write(report, "".join(traceback.format_stack(frame)).encode()[-5_000:])
    if "gevent" in sys.modules:  # where its greenlets are
        from gevent.util import print_run_info

        stacks = io.StringIO()
        print_run_info(file=stacks)
        os.write(report, stacks.getvalue().encode()[-20_000:])
