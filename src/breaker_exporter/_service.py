"""The service that items are of, by their resource; and the context in which nothing of it is traced."""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING

from opentelemetry import context

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

UNKNOWN_SERVICE = "unknown_service"
_SUPPRESSED = "suppress_instrumentation"
"""The key that OpenTelemetry's instrumentations look for beside that of the SDK, which is private."""


def service_of(resource: Resource) -> str:
    """``service.namespace/service.name``, or the name alone."""
    attributes = resource.attributes
    names = (attributes.get("service.namespace"), attributes.get("service.name"))
    return "/".join(str(name) for name in names if name) or UNKNOWN_SERVICE


def untraced_context() -> contextvars.Context:
    """A context of its own in which instrumented libraries make no spans (R3)."""
    made = contextvars.Context()
    made.run(lambda: context.attach(context.set_value(_SUPPRESSED, True)))
    return made
