"""The backend that the environment names for a signal: its exporter, made as the hooks make it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from .._base.environment import Environment, TelemetryError, adopted
from .._base.redaction import origin
from .._wiring.provider_variables import LIMITS

if TYPE_CHECKING:
    from ..otlp._encoding_exporter import EncodingExporter
    from ..otlp._signals import Signal


class CannotSend(Exception):
    """There is no exporter to send by; the text says why, and what to do."""


def exporter(signal: Signal) -> EncodingExporter[Any]:
    """The OTLP exporter of this environment for a signal.

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
            return _made(signal, environment)
        except (TelemetryError, ImportError) as error:
            raise CannotSend(str(error)) from error
        except Exception as error:
            raise CannotSend(f"the exporter of {signal.unit} cannot be made: {origin(error)}") from error


def _made(signal: Signal, environment: Environment) -> EncodingExporter[Any]:
    from .._wiring.exporter_makers import check_otlp, otlp_exporter, protocol_of
    from .._wiring.settings import Arguments

    name = _name(signal, environment)
    arguments = Arguments()
    settings = arguments.settings(environment, arguments.defaults(environment), signal)
    protocol = protocol_of(name, settings)
    check_otlp(protocol, environment, signal)
    return cast("EncodingExporter[Any]", otlp_exporter(protocol, settings, environment))


def _name(signal: Signal, environment: Environment) -> str:
    """The first name of an OTLP exporter that is given for a signal.

    Where none is given at all, it is plain OTLP: no other exporter keeps anything on a disk.

    Raises:
        TelemetryError: Other exporters are given.
    """
    from .._wiring.exporter_names import OTLP, SETTINGS, listed

    setting = SETTINGS[signal]
    if environment.get(setting) is None:
        return next(iter(OTLP))
    names = listed(environment, signal)
    name = next((name for name in names if name in OTLP), None)
    if name is None:
        raise TelemetryError(
            f"{setting.variable} must name one of {', '.join(OTLP)}, not {', '.join(names)}; "
            "to send another signal alone, choose it with --signal"
        )
    return name
