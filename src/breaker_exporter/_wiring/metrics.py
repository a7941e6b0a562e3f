"""Metrics of a process: the provider, which takes its readers when it is made."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from opentelemetry import metrics as api

from .._base.log import say
from ..otlp._signals import METRICS
from .instance_id import of_one_process
from .provider_variables import EXEMPLAR_FILTER
from .set_provider import Global
from .switch import Switch

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource

    from .._base.environment import Environment
    from .pipeline import Pipeline

GLOBAL = Global(
    signal=METRICS,
    kind="meter_provider",
    api="opentelemetry.metrics",
    none=api.NoOpMeterProvider,
    get=api.get_meter_provider,
    set=api.set_meter_provider,
    adding="add_metric_reader",
    parts=("_metric_readers",),
    wrapping="PeriodicExportingMetricReader(CircuitBreakerMetricExporter(OTLPMetricExporter(), "
    'name="collector metrics"))',
)


class Metrics:
    """The metrics that a ``Telemetry`` exports, in the process that started it first.

    What a forked child would inherit are its parent's sums, and locks that may never be released.
    """

    signal = METRICS

    def __init__(self) -> None:
        self._provider: MeterProvider | None = None
        self._pid = 0
        self._switch = Switch()

    def is_free(self, environment: Environment) -> bool:
        """True where metrics can be exported; else one line says why not."""
        if self._provider is None:
            return GLOBAL.is_free(environment)
        if self._pid == os.getpid() and hasattr(self._provider, GLOBAL.adding):
            return True
        say(
            logging.WARNING,
            "no data points are exported: %s. Start telemetry once in each worker, and not before the fork",
            "this process was forked from one that exports its own"
            if self._pid != os.getpid()
            else "this OpenTelemetry SDK takes no reader for a second start; 1.43 does",
        )
        return False

    def connect(
        self,
        pipelines: tuple[Pipeline, ...],
        resource: Resource,
        environment: Environment,
        seconds: float,
    ) -> Switch:
        """Let the readers of the pipelines collect.

        Args:
            pipelines: They have readers.
            resource: The resource of the service.
            environment: The variables.
            seconds: Not used: a provider shuts its readers down itself.

        Raises:
            TelemetryError: A variable is bad, where strict.
        """
        readers = [pipeline.processor for pipeline in pipelines]
        if self._provider is None:
            self._pid, self._provider = os.getpid(), GLOBAL.bare(environment)
        if self._provider is None:
            bad = EXEMPLAR_FILTER.variables if environment.get(EXEMPLAR_FILTER) is None else ()
            with environment.hidden(bad):
                from opentelemetry.sdk.metrics import MeterProvider

                provider = MeterProvider(readers, of_one_process(resource))
            GLOBAL.put(provider, environment)
            self._provider = provider
        else:
            for reader in readers:
                self._provider.add_metric_reader(reader)
        self._switch.switch_to(pipelines, seconds)
        return self._switch
