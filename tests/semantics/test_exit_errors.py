"""Errors that say that the interpreter is ending, and the private door of reentrant locks (R4)."""

from __future__ import annotations

import _thread
import builtins
import threading

import pytest

from breaker_exporter._concurrency.interpreter_exit import is_exit_error
from breaker_exporter._concurrency.state_lock import holds_state_lock, new_state_lock, register_state_lock

_LATER = getattr(builtins, "PythonFinalizationError", None)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("can't create new thread at interpreter shutdown"), True),
        (RuntimeError("cannot schedule new futures after interpreter shutdown"), True),
        (RuntimeError("can't start new thread"), False),
        (OSError("interpreter shutdown"), False),
        (None, False),
    ],
)
def test_an_error_of_the_exit_is_known(error: BaseException | None, expected: bool) -> None:
    assert is_exit_error(error) is expected


@pytest.mark.skipif(_LATER is None, reason="Python 3.13 and later")
def test_an_error_of_the_exit_is_known_by_its_type_where_it_has_one() -> None:
    assert _LATER is not None
    assert is_exit_error(_LATER("in other words"))


@pytest.mark.parametrize("kind", [_thread.RLock, threading.RLock, threading._PyRLock])  # type: ignore[attr-defined]
def test_the_private_door_of_reentrant_locks_is_there(kind: type[threading.RLock]) -> None:
    """``_is_owned`` is no public name; ``threading.Condition`` uses it too."""
    lock = register_state_lock(kind())
    assert not holds_state_lock()
    with lock:
        assert holds_state_lock()
    assert not holds_state_lock()


def test_a_lock_of_another_thread_is_not_held() -> None:
    lock = new_state_lock()
    seen: list[bool] = []
    with lock:
        asking = threading.Thread(target=lambda: seen.append(holds_state_lock()))
        asking.start()
        asking.join(20)
    assert seen == [False]
