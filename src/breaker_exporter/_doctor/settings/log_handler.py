"""The handler that brings records of Python's ``logging`` to the log exporters, and the switches of it."""

from __future__ import annotations

from ..._wiring.python_logging import PACKAGE, REMEDY, is_wanted, unusable
from ..._wiring.switches import DISABLED_INSTRUMENTATIONS, LOG_HANDLER, SDK_LOG_HANDLER
from ..report import Steps, ok, warning_or_fatal
from .recording import RecordingEnvironment


def check(environment: RecordingEnvironment) -> Steps[None]:
    """Tell if records of Python's ``logging`` are exported; log exporters are named."""
    if not is_wanted(environment):
        is_off = not environment.in_force(LOG_HANDLER)
        by = (LOG_HANDLER if is_off else DISABLED_INSTRUMENTATIONS).variable
        text = (
            f"{by} keeps records of Python's logging out: only what goes to OpenTelemetry's API is exported"
        )
        yield ok("log-handler", text)
    elif (why := unusable()) is None:
        yield ok("log-handler", f"records of Python's logging are exported, by the handler of {PACKAGE}")
    elif environment.in_force(SDK_LOG_HANDLER):
        text = "records of Python's logging are exported by the SDK's handler, which is deprecated"
        yield ok("log-handler", text, f"pip install {PACKAGE}, and remove {SDK_LOG_HANDLER.variable}")
    else:
        text = f"records of Python's logging are not exported: {why}"
        yield warning_or_fatal("log-handler", text, REMEDY, is_fatal=environment.strict)
