"""The arguments that a service gives to ``Telemetry`` in code, and their way from the child process."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..._core.retention import Retention
from ..._core.retention_settings import DECLARED as OF_RETENTION
from ..._wiring.profiles import Profile
from ..._wiring.settings import Arguments
from ...sentry._settings import Sentry, SentryMode

_OF_SENTRY = ("dsn", "mode", "traces_sample_rate", "logs")


@dataclasses.dataclass(frozen=True, slots=True)
class Given:
    """The arguments given in code.

    Attributes:
        arguments: Those of ``Telemetry``.
        service_name: The service's name.
        sentry: The value of ``Telemetry(sentry=...)``.
        seen: True if a ``Telemetry`` was found at all.
    """

    arguments: Arguments = dataclasses.field(default_factory=Arguments)
    service_name: str | None = None
    sentry: Sentry | None = None
    seen: bool = False

    @classmethod
    def of_json(cls, plain: dict[str, Any] | None) -> Given:
        """Return what :func:`as_json` wrote."""
        if plain is None:
            return cls()
        arguments, sentry = plain["arguments"], plain["sentry"]
        if arguments["profile"]:
            arguments["profile"] = Profile(arguments["profile"])
        if arguments["retention"]:
            arguments["retention"] = Retention(**arguments["retention"])
        if sentry and sentry["mode"]:
            sentry["mode"] = SentryMode(sentry["mode"])
        return cls(Arguments(**arguments), plain["service_name"], Sentry(**sentry) if sentry else None, True)


def as_json(telemetry: Any) -> dict[str, Any]:
    """Return what was given to a ``Telemetry``, headers and DSN included: for the doctor alone."""
    arguments, sentry = telemetry._setup.arguments, telemetry._setup.sentry
    names = [each.name for each in dataclasses.fields(Arguments) if each.name != "listeners"]
    plain = {name: getattr(arguments, name) for name in names}
    if retention := arguments.retention:
        plain["retention"] = {each.argument: getattr(retention, each.argument) for each in OF_RETENTION}
    return {
        "arguments": plain,
        "service_name": telemetry._setup.service_name,
        "sentry": sentry and {name: getattr(sentry, name) for name in _OF_SENTRY},
    }
