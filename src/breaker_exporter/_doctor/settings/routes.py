"""The ways that telemetry goes by OTLP: one for each signal and protocol."""

from __future__ import annotations

from dataclasses import dataclass

from ..._wiring.settings import Settings
from ...otlp import _environment as otlp
from ...otlp._settings import Protocol
from ...otlp._signals import Signal
from .recording import RecordingEnvironment


@dataclass(frozen=True, slots=True)
class Route:
    """One of them.

    Attributes:
        settings: Those of the signal.
        protocol: The protocol.
        environment: The variables.
    """

    settings: Settings
    protocol: Protocol
    environment: RecordingEnvironment

    @property
    def signal(self) -> Signal:
        """The signal that goes there."""
        return self.settings.signal

    @property
    def endpoint(self) -> str:
        """Where it goes, credentials and all."""
        return self.settings.endpoint or otlp.endpoint(self.environment, self.protocol, self.signal)

    @property
    def headers(self) -> dict[str, str]:
        """The headers that are configured."""
        given = self.settings.headers
        return otlp.headers(self.environment, self.protocol, self.signal) if given is None else given
