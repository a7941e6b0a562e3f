"""What a scripted exporter can be told to do with a call: values, played by ``_scripted``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult


def succeed(spans: Sequence[ReadableSpan]) -> SpanExportResult:
    """The call answers ``SUCCESS`` at once."""
    return SpanExportResult.SUCCESS


def fail(spans: Sequence[ReadableSpan]) -> SpanExportResult:
    """The call answers ``FAILURE`` at once."""
    return SpanExportResult.FAILURE


@dataclass(frozen=True, slots=True)
class Hang:
    """Block the calling operating system thread until the exporter is released, then play ``then``."""

    then: Outcome


@dataclass(frozen=True, slots=True)
class Take:
    """Block the calling operating system thread for ``seconds``, then play ``then``."""

    seconds: float
    then: Outcome


@dataclass(frozen=True, slots=True)
class Throw:
    """Raise ``error``."""

    error: BaseException | type[BaseException]


Outcome: TypeAlias = (
    Callable[[Sequence[ReadableSpan]], object]
    | SpanExportResult
    | BaseException
    | type[BaseException]
    | Hang
    | Take
    | Throw
)
"""One entry of a script: an outcome of this module, an exception (class) to raise, a result to answer,
or a function of the spans whose answer is passed on as it is, however wrong."""


hang = Hang(succeed)
"""The call blocks its operating system thread until ``release()``, then answers ``SUCCESS``."""


def hang_then(then: Outcome) -> Hang:
    """The call blocks like ``hang``; once released it plays ``then``."""
    return Hang(checked(then))


def take(seconds: float, then: Outcome = succeed) -> Take:
    """The call blocks its operating system thread for ``seconds``, then plays ``then``.

    Raises:
        ValueError: ``seconds`` is negative or not finite.
    """
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"seconds must be finite and at least 0, not {seconds!r}")
    return Take(seconds, checked(then))


def throw(error: BaseException | type[BaseException]) -> Throw:
    """The call raises ``error``.

    Raises:
        TypeError: ``error`` is no exception.
    """
    if not (
        isinstance(error, BaseException) or (isinstance(error, type) and issubclass(error, BaseException))
    ):
        raise TypeError(f"error must be an exception or an exception class, not {error!r}")
    return Throw(error)


def checked(outcome: Outcome) -> Outcome:
    """``outcome`` itself.

    Raises:
        TypeError: It is nothing that can be played, so that a mistake in a script shows where it stands.
    """
    if callable(outcome) or isinstance(outcome, SpanExportResult | BaseException | Hang | Take | Throw):
        return outcome
    raise TypeError(
        "an outcome is succeed, fail, hang, take(...), throw(...), an exception, a SpanExportResult "
        f"or a function of the spans, not {outcome!r}"
    )
