"""Errors thrown into a caller while it waits: they are the application's, and no outcome of an export."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class Thrown(BaseException):
    """Carries what was thrown into a waiting caller, an ``Exception`` too: it is the application's (C3)."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


@contextlib.contextmanager
def waiting() -> Iterator[None]:
    """Mark what is thrown into the caller while it waits, so that it is not taken for an outcome."""
    try:
        yield
    except BaseException as error:
        raise Thrown(error) from None


@contextlib.contextmanager
def passing_on() -> Iterator[None]:
    """Raise what was thrown into the waiting caller, as it was thrown: here the wait is over."""
    try:
        yield
    except Thrown as thrown:
        raise thrown.error from None
