"""A thread from before the monkey patch that exports after it, as a processor's of zero code (K14, R1)."""

from __future__ import annotations

import threading
import warnings

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState, Retention
from breaker_exporter.testing import ScriptedExporter, fail

from ..semantics._exporters import SUCCESS
from ..semantics._spans import spans
from ..semantics._waiting import Gate, until


def _patch() -> None:
    """Patch, and make the main thread's hub, as a server does before it serves.

    Two threads that each make their first hub at the same moment may hang in the locks of imports.
    """
    import gevent
    from gevent import monkey

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", monkey.MonkeyPatchWarning)  # the late patch is what is tested
        monkey.patch_all()
    gevent.get_hub()


def an_outage_of_an_early_thread_ends_by_itself() -> None:
    """The thread exports once and then waits, without a hub that could run a greenlet."""
    inner = ScriptedExporter([fail, fail])
    exporter = CircuitBreakerSpanExporter(
        inner, failure_threshold=1, cooldown=0.05, jitter=0, retention=Retention()
    )
    given, patched, answered, forever = spans(3), Gate(), Gate(), Gate()
    answers: list[object] = []

    def work() -> None:
        assert patched.wait()
        answers.append(exporter.export(given))
        answered.open()
        forever.wait()

    threading.Thread(target=work, daemon=True).start()
    _patch()
    patched.open()
    until(lambda: answers)

    until(lambda: exporter.health().exported == 3)
    assert answers == [SUCCESS]
    assert exporter.state is CircuitState.CLOSED
    forever.open()


def greenlets_and_an_early_thread_share_one_sender() -> None:
    inner = ScriptedExporter([fail])
    exporter = CircuitBreakerSpanExporter(
        inner, failure_threshold=1, cooldown=0.3, jitter=0, retention=Retention()
    )
    given, patched = spans(1), Gate()
    answers: list[object] = []

    def work() -> None:
        assert patched.wait()
        answers.extend(exporter.export(given) for _ in range(5))

    threading.Thread(target=work, daemon=True).start()
    _patch()
    import gevent

    patched.open()
    callers = [gevent.spawn(exporter.export, given) for _ in range(5)]
    gevent.joinall(callers, timeout=20, raise_error=True)
    until(lambda: len(answers) == 5)

    assert {*answers, *(caller.value for caller in callers)} == {SUCCESS}
    until(lambda: exporter.health().exported == 10)
    assert not inner.overlapped
