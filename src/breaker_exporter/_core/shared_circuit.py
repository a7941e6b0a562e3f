"""The user's wish to have one circuit for all exporters of a backend; each process has its own."""

from __future__ import annotations

from collections.abc import Callable

from .._base import checks as check
from .._base.values import CircuitState
from .chosen_circuit import CircuitSettings
from .one_a_process import OneAProcess
from .reachability import Reachability

_NAME = "collector"


class SharedCircuit:
    """One circuit for several exporters that send to the same backend, given to each as ``circuit=``.

    It is about whether the backend can be reached: it opens by consecutive calls that got no connection, no
    name or no TLS, or not a byte of an answer, and at once by one that overran ``export_timeout``, whichever
    exporter made them. While it is open, all its exporters refuse exports, or keep them with retention, and
    one probe among all of them asks whether the backend is back.

    Any answer shows that it is. Beside the shared circuit, each exporter has a circuit of its own, with the
    same settings, for what was answered: one signal that the backend refuses stops no other. An exporter
    that only says ``FAILURE``, or raises, does not tell which it was: that counts on its own circuit.

    An exporter's state is the worse of both. Log lines and transitions of the shared circuit have its name;
    the listeners of each exporter get them too.

    ``None`` means the default for every argument.

    Args:
        name: In log lines and transitions. Default ``"collector"``.
        failure_threshold: Consecutive failures that open the circuit, 1 or more. Default 3.
        cooldown: Seconds before the first probe. Default 15.
        max_cooldown: Seconds; each failed probe doubles the cooldown up to this. Default 60, or `cooldown`
            where that is longer.
        jitter: Every cooldown is drawn from ``[1 - jitter, 1]`` times its value; from 0 (exact) to below 1.
            Default 0.2.
        clock: Monotonic seconds, for cooldowns.

    Attributes:
        name: As given.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A number is out of its range.
    """

    def __init__(
        self,
        *,
        name: str | None = _NAME,
        failure_threshold: int | None = None,
        cooldown: float | None = None,
        max_cooldown: float | None = None,
        jitter: float | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.name = _NAME if name is None else check.text("name", name)
        self._settings = CircuitSettings.of(
            failure_threshold=failure_threshold,
            cooldown=cooldown,
            max_cooldown=max_cooldown,
            jitter=jitter,
            clock=clock,
        )
        self._processes = OneAProcess(Reachability(self.name, self._settings.circuit(self.name)))

    def __repr__(self) -> str:
        here = self._reachability
        exporters = "1 exporter" if here.members == 1 else f"{here.members} exporters"
        return f"<{type(self).__name__} {self.name!r}: {here.circuit.last_state}, {exporters}>"

    @property
    def state(self) -> CircuitState:
        """The state in this process. An exporter may be open although this is closed."""
        here = self._reachability
        here.settle_probe()
        return here.circuit.last_state

    @property
    def _reachability(self) -> Reachability:
        """This process's part."""
        return self._processes.here
