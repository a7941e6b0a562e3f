"""Checks of arguments: each error names the argument, the value and what is allowed."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

from .log import say
from .redaction import shown

T = TypeVar("T", bound=Callable[..., object])

_LONGEST = {
    "timeout": 60.0,
    "export_timeout": 60.0,
    "shutdown_timeout": 60.0,
    "cooldown": 999.0,
    "max_cooldown": 3600.0,
    "switch_interval": 0.1,
}
"""Seconds; a larger number is hardly meant: it looks like milliseconds."""


class Seconds(float):
    """A number of seconds that :func:`seconds` has checked: it warns of an odd one once."""


def seconds(argument: str, value: object) -> Seconds:
    """As :func:`finite_seconds`, and one that looks like milliseconds is one WARNING.

    Args:
        argument: The argument's name, or the variable's.
        value: What to check.

    Raises:
        TypeError: Not a number (``bool`` is none).
        ValueError: Out of range.
    """
    if isinstance(value, Seconds):
        return value
    number = Seconds(finite_seconds(argument, value))
    if hint := milliseconds_hint(argument, number):
        say(logging.WARNING, "%s is %g s%s", argument, number, hint)
    return number


def finite_seconds(argument: str, value: object, *, zero: bool = False) -> float:
    """A finite number of seconds above 0 (or from 0), at most what a thread can wait for.

    Raises:
        TypeError: Not a number (``bool`` is none).
        ValueError: Out of range.
    """
    allowed = f"must be a finite number of seconds, {'0 or more' if zero else 'above 0'}"
    number = _number(argument, value, allowed)
    if not (0 <= number <= threading.TIMEOUT_MAX) or (number == 0 and not zero):
        raise ValueError(f"{argument} {allowed}, not {value!r}")
    return number


def milliseconds_hint(argument: str, number: float) -> str:
    """The hint for a number of seconds that looks like milliseconds; empty for any other."""
    setting = argument.lower().removeprefix("breaker_exporter_")
    if setting.startswith("otel_"):
        setting = "timeout"
    if number <= _LONGEST.get(setting, math.inf):
        return ""
    reader = "OpenTelemetry Python" if setting == "timeout" else "this package"
    return f", which looks like milliseconds where {reader} reads seconds"


def share(argument: str, value: object) -> float:
    """A number from 0 to below 1.

    Raises:
        TypeError: Not a number.
        ValueError: Out of range.
    """
    allowed = "must be a number from 0 to below 1"
    number = _number(argument, value, allowed)
    if not 0 <= number < 1:
        raise ValueError(f"{argument} {allowed}, not {value!r}")
    return number


def ratio(argument: str, value: object) -> float:
    """A number from 0 to 1.

    Raises:
        TypeError: Not a number.
        ValueError: Out of range.
    """
    allowed = "must be a number from 0 to 1"
    number = _number(argument, value, allowed)
    if not 0 <= number <= 1:
        raise ValueError(f"{argument} {allowed}, not {value!r}")
    return number


def count(argument: str, value: object, *, zero: bool = False) -> int:
    """A whole number, at least 1 (or 0).

    Raises:
        TypeError: Not an ``int`` (``bool`` is none).
        ValueError: Less.
    """
    least = 0 if zero else 1
    allowed = f"must be a whole number, {least} or more"
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{argument} {allowed}, not {value!r}")
    if value < least:
        raise ValueError(f"{argument} {allowed}, not {value!r}")
    return value


def text(argument: str, value: object) -> str:
    """A string with something in it.

    Raises:
        TypeError: Not a string.
        ValueError: Empty.
    """
    if not isinstance(value, str):
        raise TypeError(f"{argument} must be a string, not {value!r}")
    if not value.strip():
        raise ValueError(f"{argument} must not be empty, not {value!r}")
    return value


def one_of(*words: str) -> Callable[[str, object], str]:
    """A check for one of these words."""

    def check_word(argument: str, value: object) -> str:
        if text(argument, value) not in words:
            raise ValueError(f"{argument} must be one of {', '.join(words)}, not {shown(value)}")
        return str(value)

    return check_word


def function(argument: str, value: T) -> T:
    """Something that can be called.

    Raises:
        TypeError: It cannot.
    """
    if not callable(value):
        raise TypeError(f"{argument} must be callable, not {value!r}")
    return value


def functions(argument: str, values: Iterable[T] | None) -> tuple[T, ...]:
    """An iterable of what can be called; ``None``: nothing.

    Raises:
        TypeError: It is none, or one of them cannot.
    """
    if values is None:
        return ()
    try:
        return tuple(function(f"each of {argument}", value) for value in values)
    except TypeError as error:
        if isinstance(values, Iterable):
            raise
        raise TypeError(f"{argument} must be an iterable of callables, not {values!r}") from error


def exporter(argument: str, value: object) -> None:
    """An instance with an ``export`` method.

    Raises:
        TypeError: A class, or something without ``export``.
    """
    if isinstance(value, type):
        raise TypeError(f"{argument} must be an exporter, not the class {value.__qualname__}; call it first")
    if not callable(getattr(value, "export", None)):
        raise TypeError(f"{argument} must be a span exporter, with an export method; {value!r} has none")


def _number(argument: str, value: object, allowed: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{argument} {allowed}, not {value!r}")
    number = float(value) if abs(value) < 1e300 else math.inf
    if not math.isfinite(number):
        raise ValueError(f"{argument} {allowed}, not {value!r}")
    return number


def budget(millis: object) -> float:
    """A caller's milliseconds in seconds; 0 for a value that makes no sense, since nothing may raise."""
    if isinstance(millis, int | float) and millis > 0:
        return min(millis / 1000, threading.TIMEOUT_MAX) if math.isfinite(millis) else threading.TIMEOUT_MAX
    return 0.0
