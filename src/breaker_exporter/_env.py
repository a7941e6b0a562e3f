"""Environment variables: each one this package reads, its range, and what becomes of a bad value.

A bad value counts as unset: one WARNING names variable, value and range, and the service starts. Under
``BREAKER_EXPORTER_STRICT=1`` it is a :class:`TelemetryError` instead. What OpenTelemetry reads for itself
is only checked here, and kept from it where it would raise (:meth:`Environment.without_unusable`).
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import NamedTuple, TypeVar
from urllib.parse import unquote

from . import _arguments as check
from . import _otlp_settings as otlp
from ._log import say
from ._otlp_settings import one_of
from ._profiles import Profile
from ._sentry_settings import SentryMode
from ._shown import shown

T = TypeVar("T")


def _otlp(setting: str) -> tuple[str, str]:
    """The variables of one OTLP setting, the more particular one first."""
    return f"OTEL_EXPORTER_OTLP_TRACES_{setting}", f"OTEL_EXPORTER_OTLP_{setting}"


COOLDOWN = "BREAKER_EXPORTER_COOLDOWN"
EXPORT_TIMEOUT = "BREAKER_EXPORTER_EXPORT_TIMEOUT"
MAX_COOLDOWN = "BREAKER_EXPORTER_MAX_COOLDOWN"
OTLP_COMPRESSION = _otlp("COMPRESSION")
OTLP_ENDPOINT = _otlp("ENDPOINT")
OTLP_HEADERS = _otlp("HEADERS")
OTLP_PROTOCOL = _otlp("PROTOCOL")
OTLP_TIMEOUT = _otlp("TIMEOUT")
SAMPLER = "OTEL_TRACES_SAMPLER"
SCHEDULE_DELAY = "OTEL_BSP_SCHEDULE_DELAY"
SENTRY_DSN = "SENTRY_DSN"
SENTRY_MODE = "BREAKER_EXPORTER_SENTRY_MODE"

_ON, _OFF = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_BATCH_SIZE, _QUEUE_SIZE = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_BSP_MAX_QUEUE_SIZE"
_BATCHING = {_BATCH_SIZE: 512, _QUEUE_SIZE: 2048, "OTEL_BSP_EXPORT_TIMEOUT": 30000}
"""What the batch processor reads (spans, spans, ms) beside its delay, with OpenTelemetry's defaults."""
_LIMITS = (
    *("OTEL_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"),
    *("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT"),
    *("OTEL_SPAN_EVENT_COUNT_LIMIT", "OTEL_SPAN_LINK_COUNT_LIMIT"),
    *("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT"),
)
# The pairs that OpenTelemetry's liberal reading takes; it would log any other in full.
_HEADER = re.compile(
    r"[ \t]*[\x21\x23-\x27\x2a\x2b\x2d\x2e\x30-\x39\x41-\x5a\x5e-\x7a\x7c\x7e]+[ \t]*="
    r"[\x20\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e\t]*"
)
_sampler = one_of(
    *("always_on", "always_off", "traceidratio"),
    *("parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"),
)

_sentry_mode = one_of(*(mode.value for mode in SentryMode))
_profile = one_of(*(profile.value for profile in Profile))


def any_set(names: Iterable[str]) -> bool:
    """Whether this process has a value, be it a bad one, for one of these variables."""
    return any(os.environ.get(name, "").strip() for name in names)


def snapshot() -> dict[str, str]:
    """All variables of this process as they stand now, for who compares."""
    return dict(os.environ)


def header_values() -> list[str]:
    """The values of OTLP headers in this process's variables, good or bad: not to be shown."""
    pairs = [pair for name in OTLP_HEADERS for pair in os.environ.get(name, "").split(",")]
    return [unquote(pair.partition("=")[2]).strip() for pair in pairs]


@contextlib.contextmanager
def adopted(changes: Mapping[str, str | None]) -> Iterator[None]:
    """Inside, these variables have these values, or with ``None`` are not there."""
    before = {name: os.environ.get(name) for name in changes}
    _put(changes)
    try:
        yield
    finally:
        _put(before)


def _put(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


class TelemetryError(ValueError):
    """A mistake in the telemetry's settings where ``BREAKER_EXPORTER_STRICT=1``: one line, no secrets."""


class OTLPFiles(NamedTuple):
    """Paths for TLS; ``None`` where a variable is unset."""

    certificate: str | None
    client_key: str | None
    client_certificate: str | None


class Environment:
    """The variables as they stand now, and which of them were found unusable.

    Methods that read give ``None`` for a variable that is unset, empty or bad.

    Args:
        variables: Where they stand; the process's own unless given.

    Raises:
        TelemetryError: From every method that meets a bad value, where ``strict``.
    """

    def __init__(self, variables: MutableMapping[str, str] | None = None) -> None:
        self._variables = os.environ if variables is None else variables
        self._unusable: set[str] = set()
        self.strict = False
        self.strict = self._is_on("BREAKER_EXPORTER_STRICT", _ON, _OFF)

    def complain(self, text: str) -> None:
        """Fails open: one WARNING; or raises where strict."""
        if self.strict:
            raise TelemetryError(text)
        say(logging.WARNING, "%s", text)

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

    def otlp_timeout(self) -> tuple[str, float] | None:
        """With the name of the variable that it stands in."""
        return self._first(OTLP_TIMEOUT, lambda name, value: (name, check.seconds(name, value)), "5", float)

    def otlp_protocol(self) -> otlp.Protocol | None:
        return self._first(OTLP_PROTOCOL, otlp.protocol, "http/protobuf")

    def otlp_traces_endpoint(self) -> str | None:
        """The URL that traces are posted to."""
        traces, base = _otlp("ENDPOINT")
        default = "http://localhost:4318"
        if endpoint := self._first((traces,), otlp.http_endpoint, default):
            return endpoint
        endpoint = self._first((base,), otlp.http_endpoint, default)
        return endpoint and f"{endpoint.removesuffix('/')}/v1/traces"

    def otlp_grpc_endpoint(self) -> str | None:
        """The target of gRPC."""
        return self._first(_otlp("ENDPOINT"), otlp.grpc_endpoint, "http://localhost:4317")

    def otlp_insecure(self) -> tuple[str, bool] | None:
        """Whether gRPC goes without TLS where the URL does not say it, and which variable has that."""
        for name in _otlp("INSECURE"):
            if text := self._text(name):
                return name, text.lower() == "true"
        return None

    def value(self, name: str) -> str | None:
        """What stands in a variable, good or bad."""
        return self._text(name)

    def otlp_compression(self) -> otlp.Compression | None:
        return self._first(_otlp("COMPRESSION"), otlp.compression, "none", str.lower)

    def otlp_headers(self) -> dict[str, str]:
        """With names in lower case; read as OpenTelemetry reads them."""
        from opentelemetry.util.re import parse_env_headers

        for name in _otlp("HEADERS"):
            if self._text(name) and self._has_headers(name):
                return dict(parse_env_headers(self._variables[name], liberal=True))
        return {}

    def otlp_files(self) -> OTLPFiles:
        """Paths, each as it stands in its variable."""
        certificate, client_key, client_certificate = (
            next(filter(None, map(self._text, _otlp(setting))), None)
            for setting in ("CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE")
        )
        return OTLPFiles(certificate, client_key, client_certificate)

    def traces_exporters(self) -> tuple[str, ...]:
        """The names in ``OTEL_TRACES_EXPORTER``, each once; ``otlp`` where it is unset."""
        names = (self._text("OTEL_TRACES_EXPORTER") or "otlp").split(",")
        return tuple(dict.fromkeys(stripped for name in names if (stripped := name.strip())))

    def check_provider(self, default_sampler: str) -> None:
        """The sampler and the limits, which a ``TracerProvider`` reads when it is made."""
        sampler = self._first((SAMPLER,), _sampler, default_sampler, str.lower)
        if sampler is not None and sampler.endswith("ratio"):
            self._first(("OTEL_TRACES_SAMPLER_ARG",), check.ratio, "1.0", float)
        for name in _LIMITS:
            self._first((name,), _limit, "OpenTelemetry's", int)

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
                f"{_BATCH_SIZE} ({batch}) must not be above {_QUEUE_SIZE} ({queue}); using 512 and 2048"
            )
        return found

    def check_otlp(self, protocol: otlp.Protocol) -> None:
        """What an OTLP exporter reads when it is made."""
        if protocol == "grpc":
            self.otlp_grpc_endpoint()
        else:
            self._first(_otlp("ENDPOINT"), otlp.http_endpoint, "http://localhost:4318")
        compression = one_of("none", "gzip") if protocol == "grpc" else otlp.compression
        for name in _otlp("COMPRESSION"):
            if self._first((name,), compression, "none", str.lower) == "none":
                self._unusable.add(name)  # the default, in a word on which the gRPC exporter raises
        for name in _otlp("HEADERS"):
            self._has_headers(name)
        for name in (*_otlp("CERTIFICATE"), *_otlp("CLIENT_KEY"), *_otlp("CLIENT_CERTIFICATE")):
            if (path := self._text(name)) and not os.access(path, os.R_OK):
                # Kept: to verify by other certificates than those asked for is no default.
                self.complain(
                    f"{name} must be a readable file, not {shown(path)}; the exporter gets it as it is"
                )

    def is_set(self, name: str) -> bool:
        """Whether a variable that was checked has a value that can be used."""
        return self._text(name) is not None and name not in self._unusable

    @contextlib.contextmanager
    def without_unusable(self) -> Iterator[None]:
        """Inside, OpenTelemetry's variables that are bad or empty are not there for its objects to read."""
        empty = {
            name for name, text in self._variables.items() if name.startswith("OTEL_") and not text.strip()
        }
        with self._without(self._unusable | empty):
            yield

    @contextlib.contextmanager
    def without_otlp(self) -> Iterator[None]:
        """Inside, no variable of the collector's exporter is there: its headers are for it alone."""
        with self._without({name for name in self._variables if name.startswith("OTEL_EXPORTER_OTLP_")}):
            yield

    @contextlib.contextmanager
    def _without(self, names: set[str]) -> Iterator[None]:
        taken = {name: self._variables.pop(name) for name in names if name in self._variables}
        try:
            yield
        finally:
            self._variables.update(taken)

    @contextlib.contextmanager
    def default(self, name: str, value: str) -> Iterator[None]:
        """Inside, a variable without a usable value has this one, for OpenTelemetry's objects to read."""
        if self.is_set(name):
            yield
            return
        self._variables[name] = value
        try:
            yield
        finally:
            del self._variables[name]

    def _has_headers(self, name: str) -> bool:
        """Whether what stands there, if anything, can be read as headers."""
        pairs = self._variables.get(name, "").split(",")
        if all(_HEADER.fullmatch(pair) for pair in pairs if pair.strip()):
            return True
        self._reject(name, f"{name} must be name=value pairs with commas between them, not ***", "none")
        return False

    def _text(self, name: str) -> str | None:
        return self._variables.get(name, "").strip() or None

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
                    self._reject(name, str(error), default)
        return None

    def _is_on(self, name: str, on: tuple[str, ...], off: tuple[str, ...]) -> bool:
        return self._first((name,), one_of(*on, *off), off[0], str.lower) in on

    def _reject(self, name: str, why: str, default: str) -> None:
        self._unusable.add(name)
        self.complain(f"{why}; taken as unset (default: {default})")


def _limit(name: str, value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"{name} must be a whole number, 0 or more, not {shown(value)}")
    return value
