"""pybreaker as the state machine of a circuit: told of outcomes, it never sees a call (C9).

Its ``call()`` holds a lock for as long as the guarded call runs. So a call is made outside, and its outcome
is replayed here.
"""

from __future__ import annotations

from collections.abc import Callable

import pybreaker

from .._base.values import CircuitState
from .._concurrency.memory import SameTraceback

_STATES = {
    pybreaker.STATE_CLOSED: CircuitState.CLOSED,
    pybreaker.STATE_OPEN: CircuitState.OPEN,
    pybreaker.STATE_HALF_OPEN: CircuitState.HALF_OPEN,
}


class ExportFailed(Exception):
    """Stands for a failed export that raised nothing, where an outcome is replayed to pybreaker."""


class StateMachine:
    """Closed, open or half-open, and the number of failures in a row.

    All of it may raise what the storage of a user's breaker raises.

    Args:
        breaker: Ours or the user's.
    """

    def __init__(self, breaker: pybreaker.CircuitBreaker) -> None:
        self._breaker = breaker

    @property
    def state(self) -> CircuitState:
        return _STATES[self._breaker.current_state]

    @property
    def failures(self) -> int:
        """Failures in a row."""
        return self._breaker.fail_counter

    def open(self) -> None:
        self._breaker.open()

    def half_open(self) -> None:
        self._breaker.half_open()

    def replay(self, error: BaseException | None) -> Exception | None:
        """Tell the breaker of a call that raised `error`, or succeeded where that is ``None``.

        Returns:
            The error that a listener or the storage of a user's breaker raised.
        """

        if error is None:
            return self._call(_succeed, error)
        with SameTraceback(error):
            return self._call(_fail, error)

    def copied(self) -> StateMachine:
        """An equal one for a forked child, with a lock that nobody holds; half-open becomes open (R5)."""
        state = self._breaker.current_state
        is_probing = state == pybreaker.STATE_HALF_OPEN
        storage = pybreaker.CircuitMemoryStorage(pybreaker.STATE_OPEN if is_probing else state)
        for _ in range(self._breaker.fail_counter):
            storage.increment_counter()
        return StateMachine(
            pybreaker.CircuitBreaker(
                self._breaker.fail_max, self._breaker.reset_timeout, state_storage=storage
            )
        )

    def _call(
        self, outcome: Callable[[BaseException | None], None], error: BaseException | None
    ) -> Exception | None:
        try:
            self._breaker.call(outcome, error)
        except pybreaker.CircuitBreakerError:
            pass
        except BaseException as raised:
            if raised is error:
                return None
            if not isinstance(raised, Exception):
                raise  # a Ctrl-C, say
            return raised
        return None


def _succeed(_: BaseException | None) -> None:
    """The outcome of a call that succeeded."""


def _fail(error: BaseException | None) -> None:
    """The outcome of a call that raised `error`."""
    assert error is not None
    raise error
