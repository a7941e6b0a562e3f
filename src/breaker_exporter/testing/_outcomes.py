"""The outcomes of a scripted exporter of any signal, one for each call."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

if TYPE_CHECKING:
    from opentelemetry.sdk._logs.export import LogRecordExportResult
    from opentelemetry.sdk.metrics.export import MetricExportResult
    from opentelemetry.sdk.trace.export import SpanExportResult


class Outcome:
    """An outcome of one call of a scripted exporter.

    ``succeed``, ``fail`` and ``hang`` are outcomes; ``hang_then(...)``, ``take(...)`` and ``throw(...)`` make
    them. ``repr`` shows each as it is written in a script.
    """

    __slots__ = ()


Result: TypeAlias = "SpanExportResult | LogRecordExportResult | MetricExportResult"
"""What exporters return: one enumeration a signal, with the same two members."""

Playable: TypeAlias = Outcome | enum.Enum | BaseException | type[BaseException] | Callable[[Any], object]
"""One entry of a script: an outcome, a result of an exporter to return, an exception or exception class to
raise, or a function of what is exported, whose return value is passed on as it is, however wrong."""


@dataclass(frozen=True, slots=True)
class Answer(Outcome):
    """Return the member `result` of the exporter's results at once."""

    result: str

    def __repr__(self) -> str:
        return "succeed" if self.result == "SUCCESS" else "fail"


@dataclass(frozen=True, slots=True)
class Hang(Outcome):
    """Block the calling operating system thread until the exporter is released, then play `then`."""

    then: Playable

    def __repr__(self) -> str:
        return "hang" if self.then is succeed else f"hang_then({written(self.then)})"


@dataclass(frozen=True, slots=True)
class Take(Outcome):
    """Block the calling operating system thread for `seconds`, then play `then`."""

    seconds: float
    then: Playable

    def __repr__(self) -> str:
        then = "" if self.then is succeed else f", {written(self.then)}"
        return f"take({self.seconds!r}{then})"


@dataclass(frozen=True, slots=True)
class Throw(Outcome):
    """Raise `error`."""

    error: BaseException | type[BaseException]

    def __repr__(self) -> str:
        return f"throw({self.error.__name__ if isinstance(self.error, type) else repr(self.error)})"


succeed = Answer("SUCCESS")
"""The call returns ``SUCCESS`` at once."""
fail = Answer("FAILURE")
"""The call returns ``FAILURE`` at once."""
hang = Hang(succeed)
"""The call blocks its operating system thread until ``release()``, then returns ``SUCCESS``."""


def hang_then(then: Playable) -> Outcome:
    """The call blocks like ``hang``; once released it plays `then`.

    Raises:
        TypeError: `then` cannot be played.
    """
    return Hang(checked(then))


def take(seconds: float, then: Playable = succeed) -> Outcome:
    """The call blocks its operating system thread for `seconds`, then plays `then`.

    Raises:
        TypeError: `then` cannot be played.
        ValueError: `seconds` is negative or not finite.
    """
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"seconds must be finite and at least 0, not {seconds!r}")
    return Take(seconds, checked(then))


def throw(error: BaseException | type[BaseException]) -> Outcome:
    """The call raises `error`.

    Raises:
        TypeError: `error` is no exception.
    """
    if not (
        isinstance(error, BaseException) or (isinstance(error, type) and issubclass(error, BaseException))
    ):
        raise TypeError(f"error must be an exception or an exception class, not {error!r}")
    return Throw(error)


def written(outcome: Playable) -> str:
    """The outcome as a script has it: a class or a function by its name, without an address."""
    if is_result(outcome):
        return str(outcome)
    return str(getattr(outcome, "__qualname__", None) or repr(outcome))


def checked(outcome: Playable) -> Playable:
    """Return `outcome`; a mistake in a script shows where the script is written.

    Raises:
        TypeError: `outcome` cannot be played.
    """
    if callable(outcome) or isinstance(outcome, Outcome | BaseException) or is_result(outcome):
        return outcome
    raise TypeError(
        "an outcome is succeed, fail, hang, take(...), throw(...), an exception, a result such as "
        f"SpanExportResult.FAILURE or a function of what is exported, not {outcome!r}"
    )


def is_result(outcome: object) -> TypeGuard[Result]:
    """True for a result of an exporter of any signal, whose modules need not be loaded to see that."""
    return isinstance(outcome, enum.Enum) and list(type(outcome).__members__) == ["SUCCESS", "FAILURE"]
