"""Environment variables: each one this package reads, its range, and what becomes of a bad value.

A bad value counts as unset: one WARNING names variable, value and range, and the service starts. Under
``BREAKER_EXPORTER_STRICT=1`` it is a :class:`TelemetryError` instead. What OpenTelemetry's objects would
read for themselves is checked here and given to them as arguments; the few variables that have no argument
and on which they raise are taken away for that moment (:meth:`Environment.hidden`).
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import entry_points
from typing import NamedTuple, TypeVar

from .._base import checks as check
from .._base import environment as _environment
from .._base.checks import one_of
from .._base.redaction import shown
from ..sentry._settings import SentryMode
from .profiles import Profile

OURS = tuple(
    f"BREAKER_EXPORTER_{name}"
    for name in (
        *("COOLDOWN", "EXPORT_TIMEOUT", "FAILURE_THRESHOLD", "GC_FREEZE", "MAX_COOLDOWN"),
        *("METRICS", "PROFILE", "SENTRY_MODE", "SHUTDOWN_TIMEOUT", "STRICT", "SWITCH_INTERVAL"),
    )
)
"""All variables of this package that a user sets."""

T = TypeVar("T")


class Batching(NamedTuple):
    """What a batch processor is made of; times in milliseconds, as OpenTelemetry has them."""

    max_queue_size: int
    max_export_batch_size: int
    schedule_delay_millis: int
    export_timeout_millis: int


COOLDOWN = "BREAKER_EXPORTER_COOLDOWN"
EXPORT_TIMEOUT = "BREAKER_EXPORTER_EXPORT_TIMEOUT"
MAX_COOLDOWN = "BREAKER_EXPORTER_MAX_COOLDOWN"
SAMPLER = "OTEL_TRACES_SAMPLER"
SCHEDULE_DELAY = "OTEL_BSP_SCHEDULE_DELAY"
SENTRY_DSN = "SENTRY_DSN"
SENTRY_MODE = "BREAKER_EXPORTER_SENTRY_MODE"
SPAN_ATTRIBUTES = "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"

_ON, _OFF = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_BATCH_SIZE, _QUEUE_SIZE = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_BSP_MAX_QUEUE_SIZE"
_BSP_TIMEOUT = "OTEL_BSP_EXPORT_TIMEOUT"
_BATCHING = {_BATCH_SIZE: 512, _QUEUE_SIZE: 2048, _BSP_TIMEOUT: 30000}
"""What the batch processor reads (spans, spans, ms) beside its delay, with OpenTelemetry's defaults."""
_LIMITS = (
    *("OTEL_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"),
    *("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT"),
    *("OTEL_SPAN_EVENT_COUNT_LIMIT", "OTEL_SPAN_LINK_COUNT_LIMIT"),
    *("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT"),
)
_SAMPLERS = (
    *("always_on", "always_off", "traceidratio"),
    *("parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"),
)
_one_of_samplers = one_of(*_SAMPLERS)
SAMPLER_ARGUMENT = "OTEL_TRACES_SAMPLER_ARG"
SAMPLER_GROUP = "opentelemetry_traces_sampler"
"""Entry points of samplers that are installed, which ``OTEL_TRACES_SAMPLER`` may name too."""
_sentry_mode = one_of(*(mode.value for mode in SentryMode))
_profile = one_of(*(profile.value for profile in Profile))


class Environment(_environment.Environment):
    """The variables as they stand now, and which of them were found unusable.

    Methods that read give ``None`` for a variable that is unset, empty or bad.
    """

    def check_names(self, known: Iterable[str] = OURS) -> None:
        """Variables that were meant for this package, and that nothing reads."""
        super().check_names(known)

    def sdk_disabled(self) -> bool:
        # OpenTelemetry knows the word true alone; whoever writes 1 thinks that it is off.
        return self._is_on("OTEL_SDK_DISABLED", ("true",), ("false",))

    def failure_threshold(self) -> int | None:
        return self._first(("BREAKER_EXPORTER_FAILURE_THRESHOLD",), check.count, "3", int)

    def cooldown(self) -> float | None:
        return self._first((COOLDOWN,), check.seconds, "15", float)

    def max_cooldown(self) -> float | None:
        return self._first((MAX_COOLDOWN,), check.seconds, "60, or a longer cooldown", float)

    def export_timeout(self) -> float | None:
        return self._first((EXPORT_TIMEOUT,), check.seconds, "2 above the OTLP timeout, at most 15", float)

    def shutdown_timeout(self) -> float | None:
        return self._first(("BREAKER_EXPORTER_SHUTDOWN_TIMEOUT",), check.seconds, "5", float)

    def switch_interval(self) -> float | None:
        return self._first(("BREAKER_EXPORTER_SWITCH_INTERVAL",), check.seconds, "0.0003", float)

    def gc_freeze(self) -> bool:
        return not self._is_on("BREAKER_EXPORTER_GC_FREEZE", _OFF, _ON)

    def metrics(self) -> bool:
        return self._is_on("BREAKER_EXPORTER_METRICS", _ON, _OFF)

    def profile(self) -> Profile | None:
        named = self._first(("BREAKER_EXPORTER_PROFILE",), _profile, "production", str.lower)
        return None if named is None else Profile(named)

    def sentry_dsn(self) -> str | None:
        return self._text(SENTRY_DSN)

    def sentry_environment(self) -> str | None:
        return self._text("SENTRY_ENVIRONMENT")

    def sentry_release(self) -> str | None:
        return self._text("SENTRY_RELEASE")

    def sentry_traces_sample_rate(self) -> float | None:
        return self._first(("SENTRY_TRACES_SAMPLE_RATE",), check.ratio, "1.0", float)

    def sentry_mode(self) -> SentryMode | None:
        named = self._first((SENTRY_MODE,), _sentry_mode, "otlp", str.lower)
        return None if named is None else SentryMode(named)

    def traces_exporters(self) -> tuple[str, ...]:
        """The names in ``OTEL_TRACES_EXPORTER``, each once; ``otlp`` where it is unset."""
        names = (self._text("OTEL_TRACES_EXPORTER") or "otlp").split(",")
        return tuple(dict.fromkeys(stripped for name in names if (stripped := name.strip())))

    def sampler(self, default: str) -> tuple[str, float | None]:
        """Its name, and the ratio where it has one."""
        named = self._first((SAMPLER,), _sampler, default) or default
        if named not in _SAMPLERS or not named.endswith("ratio"):
            return named, None
        ratio = self._first((SAMPLER_ARGUMENT,), check.ratio, "1.0", float)
        return named, 1.0 if ratio is None else ratio

    def limit(self, name: str) -> int | None:
        """One of the span limits."""
        return self._first((name,), _limit, "OpenTelemetry's", int)

    def bad_limits(self) -> set[str]:
        """Variables of span limits that OpenTelemetry would raise on. An empty one means no limit to it."""
        return {name for name in _LIMITS if self._text(name) is not None and self.limit(name) is None}

    def check_provider(self, default_sampler: str) -> None:
        """What a ``TracerProvider`` is made of."""
        self.sampler(default_sampler)
        self.bad_limits()

    def check_batching(self, default_delay: int) -> dict[str, int]:
        """What a ``BatchSpanProcessor`` reads when it is made; `default_delay` in milliseconds.

        Returns:
            The values in force, by variable.
        """
        found = {
            name: self._first((name,), check.count, str(default), int) or default
            for name, default in {**_BATCHING, SCHEDULE_DELAY: default_delay}.items()
        }
        batch, queue = found[_BATCH_SIZE], found[_QUEUE_SIZE]
        if batch > queue:
            self._unusable.update((_BATCH_SIZE, _QUEUE_SIZE))
            found.update({_BATCH_SIZE: 512, _QUEUE_SIZE: 2048})
            self.complain(
                f"{_BATCH_SIZE} ({batch}) must not be above {_QUEUE_SIZE} ({queue})", "using 512 and 2048"
            )
        return found

    def batching(self, default_delay: int) -> Batching:
        """As :meth:`check_batching`, by the arguments of a ``BatchSpanProcessor``."""
        found = self.check_batching(default_delay)
        return Batching(found[_QUEUE_SIZE], found[_BATCH_SIZE], found[SCHEDULE_DELAY], found[_BSP_TIMEOUT])

    def importable(self) -> contextlib.AbstractContextManager[None]:
        """Inside, ``opentelemetry.sdk.trace`` can be imported, which raises on a bad limit."""
        has_come = "opentelemetry.sdk.trace" in sys.modules
        return self.hidden(() if has_come else self.bad_limits().intersection({SPAN_ATTRIBUTES}))

    def _text(self, name: str) -> str | None:
        return self.value(name)

    def _first(
        self,
        names: tuple[str, ...],
        checked: Callable[[str, object], T],
        default: str,
        convert: Callable[[str], object] = str,
    ) -> T | None:
        for name in names:
            if text := self._text(name):
                value: object = text
                with contextlib.suppress(ValueError):  # the check says it better, and with the name
                    value = convert(text)
                try:
                    return checked(name, value)
                except (TypeError, ValueError) as error:
                    self.reject([name], str(error), f"taken as unset (default: {default})")
        return None

    def _is_on(self, name: str, on: tuple[str, ...], off: tuple[str, ...]) -> bool:
        return self._first((name,), one_of(*on, *off), off[0], str.lower) in on


def _sampler(name: str, value: object) -> str:
    if entry_points(group=SAMPLER_GROUP, name=str(value)) and value not in _SAMPLERS:
        return str(value)
    return _one_of_samplers(name, str(value).lower())


def _limit(name: str, value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"{name} must be a whole number, 0 or more, not {shown(value)}")
    return value
