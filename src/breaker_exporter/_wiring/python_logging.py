"""Records of Python's ``logging`` as log records, by the handler of opentelemetry-instrumentation-logging."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING

from .._base.redaction import origin
from .._concurrency.log_feedback import is_exporting_handler
from .._concurrency.log_handlers import attached_handlers
from .switches import DISABLED_INSTRUMENTATIONS, LOG_HANDLER, SDK_LOG_HANDLER

if TYPE_CHECKING:
    from .._base.environment import Environment

PACKAGE = "opentelemetry-instrumentation-logging"
"""The distribution that has the handler."""
REMEDY = (
    f"Install {PACKAGE}, 0.61b0 or newer; with an SDK before 1.40 set {SDK_LOG_HANDLER.variable}=true. Or "
    f"set {LOG_HANDLER.variable}=false"
)
"""What to do where there is no handler."""


def join(environment: Environment) -> None:
    """Attach OpenTelemetry's handler to the root logger, as ``opentelemetry-instrument`` does.

    Not where a logger has one already, nor where the environment says that there shall be none.

    Raises:
        TelemetryError: There is no handler that could be attached, where strict.
    """
    if not is_wanted(environment) or any(map(is_exporting_handler, attached_handlers())):
        return
    if (why := unusable()) is None:
        from opentelemetry.instrumentation.logging import LoggingInstrumentor

        instrumentor = LoggingInstrumentor()
        if not instrumentor.is_instrumented_by_opentelemetry:
            with environment.hidden(SDK_LOG_HANDLER.variables):  # it would leave that to the SDK
                instrumentor.instrument()
    elif environment.in_force(SDK_LOG_HANDLER):
        _attach_sdk_handler()
    else:
        environment.complain(f"records of Python's logging are not exported: {why}. {REMEDY}")


def is_wanted(environment: Environment) -> bool:
    """False where the environment says that there shall be no handler.

    Raises:
        TelemetryError: A variable is bad, where strict.
    """
    listed = environment.in_force(DISABLED_INSTRUMENTATIONS) or ""
    disabled = {name.strip() for name in listed.split(",")}
    return environment.in_force(LOG_HANDLER) and disabled.isdisjoint({"logging", "*"})


def unusable() -> str | None:
    """Why OpenTelemetry's handler cannot be used; ``None`` where it can."""
    try:
        import opentelemetry.instrumentation.logging.handler  # noqa: F401  # from 0.61b0 on
    except ImportError as error:
        return origin(error)
    return None


def _attach_sdk_handler() -> None:
    from opentelemetry.sdk._logs import LoggingHandler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it is asked for
        logging.getLogger().addHandler(LoggingHandler())
