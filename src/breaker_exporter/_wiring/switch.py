"""What passes items on to the pipelines of this process, which change: the same for every signal.

A provider cannot remove a processor. So it gets one that passes items on to the pipelines of this process:
a forked worker switches to pipelines of its own, and a stopped telemetry can start again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from .._base import checks as check
from .drain import flush, shut_down

if TYPE_CHECKING:
    from .pipeline import Pipeline


class Switch:
    """Holds the pipelines that it was switched to, if there are any."""

    def __init__(self) -> None:
        self._pipelines: tuple[Pipeline, ...] = ()
        self._shutdown_timeout = 0.0

    def switch_to(self, pipelines: tuple[Pipeline, ...], shutdown_timeout: float) -> None:
        """Pass items on to these pipelines from now on.

        Args:
            pipelines: Where items go.
            shutdown_timeout: Seconds that a shutdown by the provider may take.
        """
        self._shutdown_timeout = shutdown_timeout
        self._pipelines = pipelines

    @property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """Where items go."""
        return self._pipelines

    def release(self) -> tuple[Pipeline, ...]:
        """Pass nothing on any more, and leave it to the caller to shut the pipelines down."""
        pipelines, self._pipelines = self._pipelines, ()
        return pipelines

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush all pipelines side by side, within the time given.

        Returns:
            False where one was late, raised or said so itself, and where nobody may wait: on the hub
            greenlet, and in a signal handler that has interrupted what one of our locks guards.
        """
        return flush(self._pipelines, check.budget(timeout_millis))

    def shutdown(self) -> None:
        """Shut down all pipelines, within the time of the last :meth:`switch_to`."""
        self.close(self._shutdown_timeout)

    def close(self, seconds: float, beside: Iterable[Callable[[float], object]] = ()) -> None:
        """Shut down all pipelines and make the other calls, as :func:`shut_down` does."""
        shut_down(self.release(), seconds, beside)
