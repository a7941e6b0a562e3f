"""Which value each setting has: the argument given in code, else the variable, else the default.

Arguments are strict, and so are pairs of them that do not fit; where the environment has a part in it, a
pair fails open as any variable does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from .._base import checks as check
from .._base.environment import Environment
from .._base.redaction import shown
from .._core import circuit_settings as circuit
from .._core.circuit_settings import COOLDOWN, FAILURE_THRESHOLD, MAX_COOLDOWN, SWITCH_INTERVAL
from ..otlp import _endpoints as endpoints
from ..otlp import _headers as rules
from ..otlp import _settings as otlp
from ..otlp._signals import LOGS, METRICS, TRACES, Signal, for_signal
from . import retention as retentions
from .batch_settings import Batching, Reading, batching, reading
from .profiles import PROFILES, Defaults, Profile
from .switches import PROFILE, SHUTDOWN_TIMEOUT

if TYPE_CHECKING:
    from .._base.setting import Setting
    from .._base.values import CircuitTransition
    from .._core.retention import Retention

T = TypeVar("T")

_ROOM = 2.0
"""Seconds from the OTLP timeout to `export_timeout`, which is an overrun and opens the circuit at once."""
_LONGEST_TIMEOUT = circuit.EXPORT_TIMEOUT.default - _ROOM
"""Seconds that an OTLP timeout may take without an `export_timeout` above it."""
TIMEOUT = replace(
    otlp.TIMEOUT,
    default=5.0,
    about=f"time for one export (OpenTelemetry's own default: {otlp.TIMEOUT.default:g}). "
    f"Above {_LONGEST_TIMEOUT:g} only with a longer export timeout",
)
"""Shorter than OpenTelemetry's: nothing waits for an export, and a circuit opens the sooner."""
EXPORT_TIMEOUT = replace(
    circuit.EXPORT_TIMEOUT,
    default=TIMEOUT.default + _ROOM,
    fallback=f"{_ROOM:g} above the OTLP timeout, at most {circuit.EXPORT_TIMEOUT.default:g}",
    about="time after which an export counts as hung; above the OTLP timeout, so "
    f"{TIMEOUT.default + _ROOM:g} unless that is set",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings that the exporters of one signal are made with; times in seconds.

    ``batching`` is for spans and log records, ``reading`` for metrics.
    """

    signal: Signal
    endpoint: str | None
    protocol: otlp.Protocol
    headers: dict[str, str] | None
    timeout: float
    failure_threshold: int
    cooldown: float
    max_cooldown: float
    export_timeout: float
    shutdown_timeout: float
    switch_interval: float
    listeners: tuple[Callable[[CircuitTransition], object], ...]
    retention: Retention
    batching: Batching
    reading: Reading


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments that were given in code; ``None`` was left out."""

    endpoint: str | None = None
    protocol: otlp.Protocol | None = None
    headers: Mapping[str, str] | None = None
    timeout: float | None = None
    failure_threshold: int | None = None
    cooldown: float | None = None
    max_cooldown: float | None = None
    export_timeout: float | None = None
    shutdown_timeout: float | None = None
    listeners: tuple[Callable[[CircuitTransition], object], ...] = ()
    profile: Profile | None = None
    retention: Retention | None = None

    def check(self, any_set: Callable[[Iterable[str]], bool]) -> None:
        """Each argument by itself, and the pairs in which the environment has no part.

        Args:
            any_set: Whether the environment has a value for one of these variables.

        Raises:
            TypeError: An argument is of the wrong type.
            ValueError: One is out of range, or two do not fit.
        """
        if self.profile is not None and not isinstance(self.profile, Profile):
            raise TypeError(f"profile must be a Profile, not {shown(self.profile)}")
        if self.protocol is not None:
            otlp.protocol("protocol", self.protocol)
        self._check_protocol_dependent(self.protocol or "http/protobuf", any_set)
        if self.timeout is not None:
            check.finite_seconds("timeout", self.timeout)  # more is said of it when it is settled
        for setting in (FAILURE_THRESHOLD, COOLDOWN, MAX_COOLDOWN, EXPORT_TIMEOUT, SHUTDOWN_TIMEOUT):
            setting.accept(getattr(self, setting.argument))
        retentions.check_retention(self.retention)
        self._check_pairs(any_set)

    def settings(self, environment: Environment, defaults: Defaults, signal: Signal = TRACES) -> Settings:
        """The value of each setting of a signal now.

        Args:
            environment: The variables.
            defaults: Those of the profile.
            signal: The signal.

        Raises:
            TelemetryError: A variable is bad, where strict.
        """
        protocol = _chosen(self.protocol, for_signal(otlp.PROTOCOL, signal), environment)
        cooldown, max_cooldown = self._cooldowns(environment)
        timeout, export_timeout = self._timeouts(environment, for_signal(TIMEOUT, signal))
        of_logs, of_metrics = signal is LOGS, signal is METRICS
        unread = Environment({})
        return Settings(
            signal=signal,
            endpoint=self._endpoint(protocol, environment, signal),
            protocol=protocol,
            headers=self._headers(protocol, environment),
            timeout=check.Seconds(timeout),
            failure_threshold=_chosen(self.failure_threshold, FAILURE_THRESHOLD, environment),
            cooldown=check.Seconds(cooldown),
            max_cooldown=check.Seconds(max_cooldown),
            export_timeout=check.Seconds(export_timeout),
            shutdown_timeout=_chosen(self.shutdown_timeout, SHUTDOWN_TIMEOUT, environment),
            switch_interval=environment.in_force(SWITCH_INTERVAL),
            listeners=self.listeners,
            retention=retentions.in_force(self.retention, environment),
            batching=(
                batching(environment, defaults.log_delay, LOGS)
                if of_logs
                else batching(unread if of_metrics else environment, defaults.schedule_delay)
            ),
            reading=reading(environment if of_metrics else unread, defaults.metric_interval),
        )

    def defaults(self, environment: Environment) -> Defaults:
        """Those of the profile.

        Raises:
            TelemetryError: The variable is bad, where strict.
        """
        return PROFILES[_chosen(self.profile, PROFILE, environment)]

    def _check_protocol_dependent(
        self, protocol: otlp.Protocol, any_set: Callable[[Iterable[str]], bool]
    ) -> None:
        try:
            if self.endpoint is not None:
                kind = (otlp.GRPC if protocol == "grpc" else otlp.ENDPOINT).kind
                kind.check("endpoint", self.endpoint)
            if self.headers is not None:
                otlp.headers("headers", self.headers, protocol)
        except ValueError:
            if self.protocol is not None or protocol == "grpc" or not any_set(otlp.PROTOCOL.variables):
                raise
            self._check_protocol_dependent("grpc", any_set)  # the environment may say it

    def _check_pairs(self, any_set: Callable[[Iterable[str]], bool]) -> None:
        timeout = self.timeout or (None if any_set(TIMEOUT.variables) else TIMEOUT.default)
        if self.export_timeout and timeout and self.export_timeout <= timeout:
            raise ValueError(_not_above("export_timeout", self.export_timeout, timeout))
        cooldown = self.cooldown or (None if any_set(COOLDOWN.variables) else COOLDOWN.default)
        if self.max_cooldown and cooldown and self.max_cooldown < cooldown:
            raise ValueError(_below_cooldown("max_cooldown", self.max_cooldown, cooldown))

    def _headers(self, protocol: otlp.Protocol, environment: Environment) -> dict[str, str] | None:
        if self.headers is None:
            return None
        found = rules.given(self.headers, protocol)
        for fault in found.faults:  # of the protocol that the environment says
            environment.complain(f"headers: {fault}", "left out")
        return found.usable

    def _endpoint(self, protocol: otlp.Protocol, environment: Environment, signal: Signal) -> str | None:
        if self.endpoint is None:
            return None
        try:
            if protocol == "grpc":
                return endpoints.grpc_endpoint("endpoint", self.endpoint)
            return endpoints.with_path(endpoints.http_endpoint("endpoint", self.endpoint), signal)
        except ValueError as error:  # of the protocol that the environment says
            environment.complain(str(error), "left out")
            return None

    def _cooldowns(self, environment: Environment) -> tuple[float, float]:
        cooldown = _chosen(self.cooldown, COOLDOWN, environment)
        default = max(MAX_COOLDOWN.default, cooldown)
        longest = self.max_cooldown or environment.get(MAX_COOLDOWN) or default
        if longest < cooldown:
            name = "max_cooldown" if self.max_cooldown else MAX_COOLDOWN.variable
            environment.complain(_below_cooldown(name, longest, cooldown), f"using {default:g}")
            longest = default
        return cooldown, longest

    def _timeouts(self, environment: Environment, setting: Setting[float]) -> tuple[float, float]:
        if self.timeout:
            name, timeout = "timeout", self.timeout
        else:
            name, timeout = environment.found(setting) or ("timeout", setting.default)
        hint = otlp.timeout_hint(timeout)
        chosen = self.export_timeout or environment.get(EXPORT_TIMEOUT)
        if chosen and chosen <= timeout:
            chosen_name = "export_timeout" if self.export_timeout else EXPORT_TIMEOUT.variable
            environment.complain(_not_above(chosen_name, chosen, timeout), "taken as unset")
            chosen = None
        longest = _LONGEST_TIMEOUT
        if not chosen and timeout > longest:
            keep = f"to keep it, set {EXPORT_TIMEOUT.variable} above it"
            environment.remark(f"{name} is {timeout:g} s{hint}; cut to {longest:g} s ({keep})")
            timeout = longest
        elif hint:
            environment.remark(f"{name} is {timeout:g} s{hint}")
        return timeout, chosen or timeout + _ROOM


def _chosen(given: T | None, setting: Setting[T], environment: Environment) -> T:
    return environment.in_force(setting) if given is None else given


def _not_above(name: str, export_timeout: float, timeout: float) -> str:
    return f"{name} must be above the OTLP timeout ({timeout:g} s), not {export_timeout:g}"


def _below_cooldown(name: str, max_cooldown: float, cooldown: float) -> str:
    return f"{name} must not be below the cooldown ({cooldown:g} s), not {max_cooldown:g}"
