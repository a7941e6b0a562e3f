"""What an error holds on to."""

from __future__ import annotations


def let_go(error: BaseException | None) -> None:
    """Take the tracebacks of `error`, and of what it was raised in the context of, away.

    They hold frames, those hold all that called them, and one that knows its error closes a cycle: the batch
    of spans in it would wait for the garbage collector, which stops everybody for it.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        error.__traceback__ = None
        error = error.__context__
