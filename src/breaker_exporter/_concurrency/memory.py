"""All tricks that free batches early and slowly, and keep errors and frames from holding them.

A batch of 512 items is thousands of objects. Two things have been measured to block the hub for milliseconds:

* Freeing them all in one go: 0.7 ms and more, in which nothing else runs. :func:`free_slowly` frees a few at
  a time, between which the hub runs.
* The garbage collector, which stops every thread. It has work where a batch is in a cycle: an error knows its
  traceback, that knows frames, and those know all that called them; the errors of HTTP and gRPC libraries are
  known in their own frames. So no frame of ours that such an error can reach knows a batch
  (:class:`CallWithBatch`), an error that is raised once more for pybreaker gains no frames by that
  (:class:`SameTraceback`), and one that has been reported loses its tracebacks (:func:`let_go`). A frame
  that an error went through and that has a name for it deletes the name (``del``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from . import hub

_AT_ONCE = 64
"""Objects freed at once."""
_PAUSE = 0.002
"""Seconds in between."""

Batch = TypeVar("Batch")


class CallWithBatch(Generic[Batch]):
    """A call with a batch, which lets go of the batch when the call is over, and is made once.

    Args:
        method: Returns the function to call; asked when the call is made.
        batch: Its argument.
    """

    __slots__ = ("_batch", "_method")

    def __init__(self, method: Callable[[], Callable[[Batch], object]], batch: Batch) -> None:
        self._method = method
        self._batch: list[Batch] = [batch]

    def __call__(self) -> object:
        try:
            return self._method()(self._batch[0])
        finally:
            self._batch.clear()


class SameTraceback:
    """A block in which `error` may be raised and caught again without gaining any frame by it."""

    __slots__ = ("_before", "_error")

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __enter__(self) -> None:
        self._before = self._error.__traceback__

    def __exit__(self, *_: object) -> None:
        self._error.__traceback__ = self._before


def let_go(error: BaseException | None) -> None:
    """Take the tracebacks away from `error`, its causes and contexts, and theirs."""
    seen: set[int] = set()
    found = [error]
    while found:
        error = found.pop()
        if error is not None and id(error) not in seen:
            seen.add(id(error))
            error.__traceback__ = None
            found += [error.__cause__, error.__context__]


def free_slowly(batch: object) -> None:
    """Keep the objects of a long list or tuple until they can be freed a few at a time."""
    if type(batch) is not list and type(batch) is not tuple:
        return
    if len(batch) <= _AT_ONCE or not hub.is_cooperative():
        return
    import gevent

    held = list(batch)

    def free() -> None:
        while held:
            del held[-_AT_ONCE:]
            gevent.sleep(_PAUSE)

    gevent.spawn(free)
