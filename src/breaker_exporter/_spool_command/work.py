"""Work on the spools that were chosen, one after another; deleting them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from .._base.log import counted
from .._spool.cannot_use import CannotUse
from .._spool.spool import Removed, Spool
from .interruption import Interruption
from .leasing import Leasing

if TYPE_CHECKING:
    from .._spool.listing import Found

Say = Callable[[str], object]
"""Writes a line."""
_EVERYTHING = -1.0
"""Seconds: each batch is older."""


class SomeUnusable(Exception):
    """Spools that cannot be used, a line for each; the others are done."""


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
        for_each(directory, rows, work)
    finally:
        items = sum(each.items for each in removed)
        say(f"deleted: {counted(items, 'items')} in {counted(len(removed), 'files')}")


def for_each(directory: str, rows: Iterable[Found], work: Callable[[Spool], object]) -> None:
    """Open the spools of `rows`, one after another, and call `work` with each.

    Raises:
        SomeUnusable: As it says. What else `work` raises ends it.
    """
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
