"""What the command does to the spools that were chosen: it sends them, or deletes them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from .._base.log import counted
from .._spool.cannot_use import CannotUse
from .._spool.spool import Removed, Spool
from .backend import CannotSend, exporter
from .interruption import Interruption
from .leasing import Leasing
from .pace import Pace
from .patience import Patience
from .progress import Progress
from .sending import Backend, Sending

if TYPE_CHECKING:
    from .._spool.listing import Found

Say = Callable[[str], object]
"""Writes a line."""
_EVERYTHING = -1.0
"""Seconds: each batch is older."""


class SomeUnusable(Exception):
    """Spools that cannot be used, a line for each; the others are done."""


def send(directory: str, rows: list[Found], rate: float, interruption: Interruption, say: Say) -> None:
    """Send the batches in `rows`, at `rate` items a second.

    Raises:
        CannotSend: There is no backend, or more than one may be meant.
        GivenUp: The backend fails, or another process keeps a lease.
        Interrupted: Ctrl-C was pressed.
        SomeUnusable: As it says.
    """
    names = sorted({row.exporter for row in rows})
    if len(names) > 1:
        raise CannotSend(
            f"what the exporters {', '.join(names)} have kept may be meant for different backends, and the "
            "environment has one: choose with --exporter NAME"
        )
    backend = Backend(exporter(), Pace(rate), Patience())
    signal = backend.exporter.signal
    for row in rows:
        if row.signal != signal:
            say(f"{counted(row.items, row.signal)} of {row.service} are left: {signal} alone can be sent")
    chosen = [row for row in rows if row.batches and row.signal == signal]
    sendings: list[Sending] = []

    def say_beside_bar(line: str) -> None:
        progress.clear()
        say(line)

    def work(spool: Spool) -> None:
        sendings.append(Sending(spool, backend, leasing, interruption, progress.add))
        sendings[-1].run()

    try:
        with Progress(sys.stderr, signal, sum(row.items for row in chosen)) as progress:
            leasing = Leasing(interruption, say_beside_bar)
            _for_each(directory, chosen, work)
    finally:
        backend.exporter.shutdown()
        delivered = counted(sum(each.delivered for each in sendings), signal)
        say(f"{delivered} delivered to {backend.exporter.destination}")
        for each in sendings:
            if each.lost:
                say(f"{counted(each.lost, signal)} lost, which the backend does not take: {each.reason}")
            if each.unreadable:
                files = counted(len(each.unreadable), "files")
                say(f"{files} left, which the disk cannot read: {each.path}")


def delete(
    directory: str, rows: list[Found], older_than: float | None, interruption: Interruption, say: Say
) -> None:
    """Delete what is in `rows`, batches and damaged files, or what was kept more than `older_than` s ago.

    Raises:
        GivenUp: Another process keeps a lease.
        Interrupted: Ctrl-C was pressed.
        SomeUnusable: As it says.
    """
    removed: list[Removed] = []

    def work(spool: Spool) -> None:
        try:
            with leasing.held(spool):
                for _ in range(2):  # what was found to be damaged goes the second time
                    removed.extend(spool.tidy(age, interruption.check))
        finally:
            removed.extend(spool.evicted_by_writing())  # where it was interrupted

    leasing = Leasing(interruption, say)
    age = _EVERYTHING if older_than is None else older_than
    try:
        _for_each(directory, rows, work)
    finally:
        items = sum(each.items for each in removed)
        say(f"deleted: {counted(items, 'items')} in {counted(len(removed), 'files')}")


def _for_each(directory: str, rows: Iterable[Found], work: Callable[[Spool], object]) -> None:
    problems: list[str] = []
    for row in rows:
        spool = Spool.at(directory, row.path, row.signal)
        try:
            spool.open()
            work(spool)
        except CannotUse as error:
            problems.append(str(error))
        except FileNotFoundError:
            pass  # its folder has vanished, and what was in it
        except OSError as error:
            problems.append(f"{row.path!r} cannot be used: {error.strerror}")
        finally:
            spool.close()
    if problems:
        raise SomeUnusable("\n".join(problems))
