"""The meter provider that the environment names: OpenTelemetry raises where it is not installed."""

from __future__ import annotations

import contextlib
from importlib.metadata import entry_points

from .environment import Environment
from .redaction import shown
from .setting import TEXT, Kind, Setting

_GROUP = "opentelemetry_meter_provider"
METER_PROVIDER = Setting[str | None](
    variables=("OTEL_PYTHON_METER_PROVIDER",),
    kind=Kind("an installed meter provider", TEXT.check),
    default=None,
    fallback="OpenTelemetry's",
    about="the meter provider, by its entry point. One that is not installed is one WARNING",
)


def is_bad(environment: Environment) -> bool:
    """Return whether OpenTelemetry would raise for each request of a meter."""
    variable = METER_PROVIDER.variable
    name = environment.value(variable)
    if not environment.is_there(variable) or (name and entry_points(group=_GROUP, name=name)):
        return False
    if name:
        environment.complain(
            f"{variable} must name {METER_PROVIDER.kind.allowed}, not {shown(name)}",
            "OpenTelemetry raises wherever a meter is asked for",
        )
    return True


def metered(environment: Environment) -> contextlib.AbstractContextManager[None]:
    """Let OpenTelemetry make meters meanwhile, also where the named provider is not installed."""
    return environment.hidden(METER_PROVIDER.variables if is_bad(environment) else ())
