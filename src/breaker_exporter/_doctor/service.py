"""The service's name, under which its spans arrive."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from .._base.redaction import shown
from .._wiring.switches import RESOURCE_ATTRIBUTES, SERVICE_NAME
from .finding import Steps, warning
from .listening import Given, Listening
from .values import is_quoted

_NAME = SERVICE_NAME.variable
_ATTRIBUTES = RESOURCE_ATTRIBUTES.variable
_DETECTORS = "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS"
_NAMELESS = {"", "otel", "process", "os", "host", "container"}
"""Resource detectors that name no service."""
_UNKNOWN = "unknown_service"


@dataclass(frozen=True, slots=True)
class Service:
    """The name, and where it comes from: ``code``, a variable, or ``default``."""

    name: str
    source: str


def of(given: Given, environment: Listening) -> Service:
    """The name as OpenTelemetry takes it: from code, else from variables."""
    if given.service_name:
        return Service(given.service_name, "code")
    if name := environment.value(_NAME):
        return Service(name, _NAME)
    pairs = [pair.partition("=") for pair in (environment.value(_ATTRIBUTES) or "").split(",")]
    found = [unquote(value.strip()) for key, _, value in pairs if key.strip() == "service.name"]
    if found and found[-1]:
        return Service(found[-1], _ATTRIBUTES)
    detectors = {name.strip() for name in (environment.value(_DETECTORS) or "").split(",")}
    # Theirs may name it, and they may ask over the network.
    return Service(_UNKNOWN, "default" if detectors <= _NAMELESS else _DETECTORS)


def check_attributes(environment: Listening) -> Steps[None]:
    """Find attributes that OpenTelemetry leaves out: those without a value."""
    items = (environment.value(_ATTRIBUTES) or "").split(",")
    if left_out := [item.strip() for item in items if item.strip() and "=" not in item]:
        yield warning(
            "resource-attributes",
            f"{_ATTRIBUTES} has what is no name=value, and is left out: {shown(', '.join(left_out))}",
            "write name=value,name=value, with commas in a value percent-encoded (%2C)",
        )


def check(service: Service, *, sees_code: bool) -> Steps[None]:
    """Find that there is no name, or a quoted one; `sees_code`: a ``Telemetry`` was looked at."""
    if service.source == _DETECTORS:
        return
    if service.name.startswith(_UNKNOWN) or not service.name.strip():
        yield warning(
            "service-name-missing",
            "the service has no name: its spans arrive as unknown_service, as those of others without one",
            f"set {_NAME}, or service_name= of Telemetry"
            + ("" if sees_code else "; one that the application sets in its own code is not seen here"),
        )
    elif service.source == "code" and is_quoted(service.name):
        yield warning(
            "value-quoted",
            f"the service's name, given in code, has quotation marks as a part of it: {service.name}",
            "take them away where it comes from",
        )
