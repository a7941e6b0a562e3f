"""Errors thrown into a waiting caller: they belong to the application, and are no outcome of an export.

No generators: every export goes through these blocks, and a refused one does little else.
"""

from __future__ import annotations


class Thrown(BaseException):
    """Carries an error that was thrown into a waiting caller, for the application (C3)."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


class _Waiting:
    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None:
            raise Thrown(error) from None


class _PassingOn:
    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None and isinstance(error, Thrown):
            raise error.error from None


_waiting, _passing_on = _Waiting(), _PassingOn()


def waiting() -> _Waiting:
    """A block that waits: an error thrown into it is marked, so that it is not taken for an outcome."""
    return _waiting


def passing_on() -> _PassingOn:
    """A block around waits: an error thrown into one of them leaves it unmarked."""
    return _passing_on
