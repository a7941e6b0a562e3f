"""The circuits that exporters of several signals share, since they send to the same backend (L7)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..otlp import _environment as variables
from .exporter_names import OTLP, chosen, listed

if TYPE_CHECKING:
    from .._base.environment import Environment
    from .._core.shared_circuit import SharedCircuit
    from ..otlp._settings import Protocol
    from ..otlp._signals import Signal
    from .settings import Settings

_PORTS = {"http": 80, "https": 443}

Origin = tuple[object, ...]
"""Scheme, host and port; of a target that only gRPC understands, the text."""


class Circuits:
    """One circuit for each origin that more than one signal goes to.

    Args:
        signals: The settings of all signals that are exported.
        environment: The variables.
    """

    def __init__(self, signals: Iterable[Settings], environment: Environment) -> None:
        self._signals: dict[Origin, list[Signal]] = {}
        self._made: dict[Origin, SharedCircuit] = {}
        for settings in signals:
            signal = settings.signal
            names, _ = chosen(listed(environment, signal), signal)
            protocols = {OTLP[name] or settings.protocol for name in names if name in OTLP}
            for origin in {_origin(protocol, settings, environment) for protocol in protocols}:
                self._signals.setdefault(origin, []).append(signal)

    def of(self, protocol: Protocol, settings: Settings, environment: Environment) -> SharedCircuit | None:
        """The circuit for an OTLP exporter; ``None`` where its backend gets no other signal."""
        origin = _origin(protocol, settings, environment)
        signals = self._signals.get(origin, [])
        if len(signals) < 2:
            return None
        if (known := self._made.get(origin)) is not None:
            return known
        from .._core.shared_circuit import SharedCircuit

        made = SharedCircuit(
            name=f"collector of {', '.join(signal.word.lower() for signal in signals)}",
            failure_threshold=settings.failure_threshold,
            cooldown=settings.cooldown,
            max_cooldown=settings.max_cooldown,
        )
        return self._made.setdefault(origin, made)  # exporters without code are made on their threads


def _origin(protocol: Protocol, settings: Settings, environment: Environment) -> Origin:
    url = settings.endpoint or variables.endpoint(environment, protocol, settings.signal)
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return (url,)
    return (parts.scheme, parts.hostname, port) if parts.hostname else (url,)
