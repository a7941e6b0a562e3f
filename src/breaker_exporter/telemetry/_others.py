"""The log records and metrics that a ``Telemetry`` exports beside its spans.

What fails with one of them is one WARNING, and the rest starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from .._base.environment import TelemetryError
from .._base.redaction import origin
from .._wiring.exporter_names import chosen, listed
from ..otlp._signals import LOGS, METRICS, Signal

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

    from .._base.environment import Environment
    from .._wiring.logs import Logs
    from .._wiring.metrics import Metrics
    from .._wiring.pipeline import Pipeline
    from .._wiring.settings import Settings
    from .._wiring.shared_circuits import Circuits
    from .._wiring.switch import Switch


def named(environment: Environment) -> tuple[Signal, ...]:
    """The signals beside traces for which the environment names an exporter, be it one that is unknown."""
    return tuple(signal for signal in (LOGS, METRICS) if any(chosen(listed(environment, signal), signal)))


class Others:
    """Exports log records and metrics, over stops, new starts and forks of its process."""

    def __init__(self) -> None:
        self._logs: Logs | None = None
        self._metrics: Metrics | None = None

    def start(
        self,
        signals: Iterable[Settings],
        environment: Environment,
        circuits: Circuits,
        resource: Resource,
        more: Callable[[Settings, Environment], tuple[Pipeline, ...]],
    ) -> Iterator[tuple[Settings, Switch]]:
        """Make the exporters of the signals, and let their items go to them.

        Args:
            signals: The settings of each.
            environment: The variables.
            circuits: The circuits that exporters share.
            resource: The resource of the service.
            more: Makes further pipelines of a signal.

        Returns:
            The settings of each signal that has exporters now, and what feeds them.

        Raises:
            TelemetryError: Something is wrong, where strict.
        """
        from .._wiring.drain import shut_down
        from .._wiring.pipeline import build

        for settings in signals:
            try:
                source = self._source(settings.signal)
                if not source.is_free(environment):
                    continue
                pipelines = build(settings, environment, circuits)
                try:
                    pipelines = (*pipelines, *more(settings, environment))
                    if not pipelines:
                        continue
                    switch = source.connect(pipelines, resource, environment, settings.shutdown_timeout)
                except BaseException:
                    shut_down(pipelines, settings.shutdown_timeout)
                    raise
            except TelemetryError:
                raise
            except Exception as error:
                environment.complain(f"no {settings.signal.unit} are exported: {origin(error)}")
            else:
                yield settings, switch

    def shutdowns(self) -> Iterator[Callable[[float], object]]:
        """Calls that shut down what others have added to providers made here, each in so many seconds."""
        provider = self._logs.provider if self._logs else None
        if provider is not None:
            yield lambda left: provider.shutdown()

    def _source(self, signal: Signal) -> Logs | Metrics:
        if signal is LOGS:
            from .._wiring.logs import Logs

            self._logs = self._logs or Logs()
            return self._logs
        from .._wiring.metrics import Metrics

        self._metrics = self._metrics or Metrics()
        return self._metrics
