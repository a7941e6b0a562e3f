"""Checks of arguments: each error names the argument, the value and what is allowed."""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

from .log import say
from .redaction import shown

T = TypeVar("T", bound=Callable[..., object])


class Seconds(float):
    """A number of seconds that :func:`seconds` has checked, so that it warns only once."""


def seconds(argument: str, value: object, longest: float = math.inf, reader: str = "this package") -> Seconds:
    """Return a finite number of seconds above 0; one that looks like milliseconds logs a WARNING.

    Args:
        argument: The name of the argument or variable.
        value: The value to check.
        longest: Seconds; a larger number is probably meant as milliseconds.
        reader: The one that reads it in seconds.

    Raises:
        TypeError: Not a number (``bool`` is none).
        ValueError: Out of range.
    """
    if isinstance(value, Seconds):
        return value
    number = Seconds(finite_seconds(argument, value))
    if hint := milliseconds_hint(number, longest, reader):
        say(logging.WARNING, "%s is %g s%s", argument, number, hint)
    return number


def finite_seconds(argument: str, value: object, *, zero: bool = False) -> float:
    """Return a finite number of seconds above 0 (or from 0) for which a thread can wait.

    Raises:
        TypeError: Not a number (``bool`` is none).
        ValueError: Out of range.
    """
    allowed = f"must be a finite number of seconds, {'0 or more' if zero else 'above 0'}"
    most = threading.TIMEOUT_MAX
    return _within(argument, value, allowed, lambda number: 0 < number <= most or (zero and number == 0))


def milliseconds_hint(number: float, longest: float, reader: str) -> str:
    """Return a hint where a number of seconds looks like milliseconds, else an empty string."""
    if number <= longest:
        return ""
    return f", which looks like milliseconds where {reader} reads seconds"


def share(argument: str, value: object) -> float:
    """Return a number from 0 to below 1.

    Raises:
        TypeError: Not a number.
        ValueError: Out of range.
    """
    return _within(argument, value, "must be a number from 0 to below 1", lambda number: 0 <= number < 1)


def positive(argument: str, value: object) -> float:
    """Return a finite number above 0.

    Raises:
        TypeError: Not a number.
        ValueError: Out of range.
    """
    return _within(argument, value, "must be a finite number above 0", lambda number: 0 < number < math.inf)


def ratio(argument: str, value: object) -> float:
    """Return a number from 0 to 1.

    Raises:
        TypeError: Not a number.
        ValueError: Out of range.
    """
    return _within(argument, value, "must be a number from 0 to 1", lambda number: 0 <= number <= 1)


def whole(argument: str, value: object, allowed: str = "must be a whole number") -> int:
    """Return a whole number of any size.

    Raises:
        TypeError: Not an ``int`` (``bool`` is none).
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{argument} {allowed}, not {value!r}")
    return value


def count(argument: str, value: object, *, zero: bool = False) -> int:
    """Return a whole number, at least 1 (or 0).

    Raises:
        TypeError: Not an ``int`` (``bool`` is none).
        ValueError: Less.
    """
    least = 0 if zero else 1
    allowed = f"must be a whole number, {least} or more"
    number = whole(argument, value, allowed)
    if number < least:
        raise ValueError(f"{argument} {allowed}, not {value!r}")
    return number


def text(argument: str, value: object) -> str:
    """Return a string that is not empty.

    Raises:
        TypeError: Not a string.
        ValueError: Empty.
    """
    if not isinstance(value, str):
        raise TypeError(f"{argument} must be a string, not {value!r}")
    if not value.strip():
        raise ValueError(f"{argument} must not be empty, not {value!r}")
    return value


def path(argument: str, value: object) -> str:
    """Return an absolute path, given as a string or as a path.

    Raises:
        TypeError: Neither.
        ValueError: Empty, relative, or with a null byte.
    """
    allowed = "must be an absolute path"
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{argument} {allowed}, not {value!r}")
    found = os.fspath(value)
    if not isinstance(found, str) or not os.path.isabs(found) or "\0" in found:
        raise ValueError(f"{argument} {allowed}, not {shown(found)}")
    return found


def one_of(*words: str) -> Callable[[str, object], str]:
    """A check for one of these words."""

    def check_word(argument: str, value: object) -> str:
        if text(argument, value) not in words:
            raise ValueError(f"{argument} must be one of {', '.join(words)}, not {shown(value)}")
        return str(value)

    return check_word


def function(argument: str, value: T) -> T:
    """Return `value`, which can be called.

    Raises:
        TypeError: It cannot be called.
    """
    if not callable(value):
        raise TypeError(f"{argument} must be callable, not {value!r}")
    return value


def functions(argument: str, values: Iterable[T] | None) -> tuple[T, ...]:
    """Return callables as a tuple, an empty one for ``None``.

    Raises:
        TypeError: It is not iterable, or one of them cannot be called.
    """
    if values is None:
        return ()
    try:
        return tuple(function(f"each of {argument}", value) for value in values)
    except TypeError as error:
        if isinstance(values, Iterable):
            raise
        raise TypeError(f"{argument} must be an iterable of callables, not {values!r}") from error


def exporter(argument: str, value: object, kind: str) -> None:
    """Check that a value is an exporter: an instance with an ``export`` method.

    Args:
        argument: The argument's name.
        value: The value.
        kind: The noun for the error, such as ``span exporter``.

    Raises:
        TypeError: It is a class, or has no ``export``.
    """
    if isinstance(value, type):
        raise TypeError(f"{argument} must be a {kind}, not the class {value.__qualname__}; call it first")
    if not callable(getattr(value, "export", None)):
        raise TypeError(f"{argument} must be a {kind}, with an export method; {value!r} has none")


def _within(argument: str, value: object, allowed: str, is_allowed: Callable[[float], bool]) -> float:
    number = _number(argument, value, allowed)
    if not is_allowed(number):
        raise ValueError(f"{argument} {allowed}, not {value!r}")
    return number


def _number(argument: str, value: object, allowed: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{argument} {allowed}, not {value!r}")
    number = float(value) if abs(value) < 1e300 else math.inf
    if not math.isfinite(number):
        raise ValueError(f"{argument} {allowed}, not {value!r}")
    return number


def budget(millis: object) -> float:
    """Return a caller's milliseconds in seconds; 0 for a value that is no number above 0. Never raises."""
    if isinstance(millis, int | float) and millis > 0:
        return min(millis / 1000, threading.TIMEOUT_MAX) if math.isfinite(millis) else threading.TIMEOUT_MAX
    return 0.0
