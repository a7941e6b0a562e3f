"""The service's name, under which its telemetry arrives."""

from __future__ import annotations

from urllib.parse import unquote

from ..._base.redaction import shown
from ..._wiring.switches import RESOURCE_ATTRIBUTES, SERVICE_NAME
from ..report import Steps, warning
from .given import Given
from .recording import RecordingEnvironment
from .shell_syntax import is_quoted

_NAME = SERVICE_NAME.variable
_ATTRIBUTES = RESOURCE_ATTRIBUTES.variable
_DETECTORS = "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS"
_NAMELESS = {"", "otel", "process", "os", "host", "container"}
"""Resource detectors that name no service."""
_UNKNOWN = "unknown_service"


def of(given: Given, environment: RecordingEnvironment) -> tuple[str, str]:
    """Return the name as OpenTelemetry takes it, and its source: ``code``, a variable, or ``default``."""
    if given.service_name:
        return given.service_name, "code"
    if name := environment.value(_NAME):
        return name, _NAME
    if found := attribute("service.name", environment):
        return found, _ATTRIBUTES
    detectors = {name.strip() for name in (environment.value(_DETECTORS) or "").split(",")}
    # Other detectors may name it, and they may ask over the network.
    return _UNKNOWN, "default" if detectors <= _NAMELESS else _DETECTORS


def with_namespace(name: str, environment: RecordingEnvironment) -> str:
    """Return ``namespace/name``, or the name alone; a namespace that is given in code is not seen."""
    namespace = attribute("service.namespace", environment)
    return f"{namespace}/{name}" if namespace else name


def check_attributes(environment: RecordingEnvironment) -> Steps[None]:
    """Find attributes without a value, which OpenTelemetry leaves out."""
    items = (environment.value(_ATTRIBUTES) or "").split(",")
    if left_out := [item.strip() for item in items if item.strip() and "=" not in item]:
        text = (
            f"OpenTelemetry leaves out what is no name=value in {_ATTRIBUTES}: {shown(', '.join(left_out))}"
        )
        advice = "write name=value,name=value, with commas in a value percent-encoded (%2C)"
        yield warning("resource-attributes", text, advice)


def check(service: tuple[str, str], *, sees_code: bool) -> Steps[None]:
    """Find that there is no name, or a quoted one; `sees_code`: a ``Telemetry`` was looked at."""
    name, source = service
    if source != _DETECTORS and (name.startswith(_UNKNOWN) or not name.strip()):
        text = f"the service has no name: its telemetry arrives as {_UNKNOWN}, as that of others without one"
        unseen = "" if sees_code else "; one that the application sets in its own code is not seen here"
        advice = f"set {_NAME}, or service_name= of Telemetry{unseen}"
        todo = ("name the service, where it is started:", f"export {_NAME}=my-service")
        yield warning("service-name-missing", text, advice, todo=todo)
    elif source == "code" and is_quoted(name):
        text = f"the service's name, given in code, has quotation marks as a part of it: {name}"
        yield warning("value-quoted", text, "remove them where it comes from")


def attribute(name: str, environment: RecordingEnvironment) -> str:
    """Return the value that ``OTEL_RESOURCE_ATTRIBUTES`` gives for an attribute; empty: none."""
    pairs = [pair.partition("=") for pair in (environment.value(_ATTRIBUTES) or "").split(",")]
    found = [unquote(value.strip()) for key, _, value in pairs if key.strip() == name]
    return found[-1] if found else ""
