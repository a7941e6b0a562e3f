"""Log records of a process: the provider, the one processor on it, and Python's ``logging``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import _logs as api

from ..otlp._signals import LOGS
from .log_limits import usable_limits
from .python_logging import join
from .set_provider import Global

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk.resources import Resource

    from .._base.environment import Environment
    from .pipeline import Pipeline
    from .switch import Switch

GLOBAL = Global(
    signal=LOGS,
    kind="logger_provider",
    api="opentelemetry._logs",
    none=api.NoOpLoggerProvider,
    get=api.get_logger_provider,
    set=api.set_logger_provider,
    adding="add_log_record_processor",
    parts=("_multi_log_record_processor", "_log_record_processors"),
    wrapping="BatchLogRecordProcessor(CircuitBreakerLogRecordExporter(OTLPLogExporter(), "
    'name="collector logs"))',
)


class Logs:
    """The log records that a ``Telemetry`` exports, in whichever of its processes.

    A forked child inherits provider and processor.
    """

    signal = LOGS

    def __init__(self) -> None:
        self._provider: LoggerProvider | None = None
        self._switch: Switch | None = None

    @property
    def provider(self) -> LoggerProvider | None:
        """The provider that was made here."""
        return self._provider

    def is_free(self, environment: Environment) -> bool:
        """True where log records can be exported: the provider was made here, or there is none yet."""
        return self._provider is not None or GLOBAL.is_free(environment)

    def connect(
        self,
        pipelines: tuple[Pipeline, ...],
        resource: Resource,
        environment: Environment,
        seconds: float,
    ) -> Switch:
        """Let log records go to the pipelines, and those of Python's ``logging`` too.

        Args:
            pipelines: Where they go.
            resource: The resource of a provider that is made.
            environment: The variables.
            seconds: The time that a shutdown by the provider may take.

        Raises:
            TelemetryError: A variable is bad, where strict.
        """
        if self._switch is None:
            with usable_limits(environment):
                from opentelemetry.sdk._logs import LoggerProvider

                from .switchable_log_processor import SwitchableLogProcessor

                provider = GLOBAL.bare(environment) or LoggerProvider(resource=resource)
            GLOBAL.put(provider, environment)
            switch = SwitchableLogProcessor()
            provider.add_log_record_processor(switch)
            self._provider, self._switch = provider, switch
        self._switch.switch_to(pipelines, seconds)
        join(environment)
        return self._switch
