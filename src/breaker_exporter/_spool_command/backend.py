"""The backend that the environment names: its exporter, made as the hooks make it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from .._base.environment import Environment, TelemetryError, adopted
from .._base.redaction import origin
from .._wiring.provider_variables import LIMITS

if TYPE_CHECKING:
    from ..otlp._span_exporter import OTLPSpanExporter


class CannotSend(Exception):
    """There is no exporter to send by; the text says why, and what to do."""


def exporter() -> OTLPSpanExporter:
    """The OTLP exporter of this environment.

    A bad variable is an error here, where a service would take its default and start: what lies on a disk
    must not go to another place than the one that was meant.

    Raises:
        CannotSend: There is none.
    """
    environment = Environment()
    environment.strict = True
    # A bad value of these keeps the SDK from being imported.
    with adopted(dict.fromkeys(LIMITS["max_span_attributes"].variables)):
        try:
            return _made(environment)
        except (TelemetryError, ImportError) as error:
            raise CannotSend(str(error)) from error
        except Exception as error:
            raise CannotSend(f"the exporter cannot be made: {origin(error)}") from error


def _made(environment: Environment) -> OTLPSpanExporter:
    from .._wiring.exporter_makers import check_otlp, otlp_exporter
    from .._wiring.exporter_names import OTLP, listed
    from .._wiring.settings import Arguments
    from .._wiring.switches import TRACES_EXPORTER

    names = listed(environment)
    name = next((name for name in names if name in OTLP), None)
    if name is None:
        raise TelemetryError(
            f"{TRACES_EXPORTER.variable} must name one of {', '.join(OTLP)}, not {', '.join(names)}"
        )
    arguments = Arguments()
    settings = arguments.settings(environment, arguments.defaults(environment))
    protocol = OTLP[name] or settings.protocol
    check_otlp(protocol, environment)
    return cast("OTLPSpanExporter", otlp_exporter(protocol, settings, environment))
