"""The gRPC sender over forks, and beside the hub of gevent: each of these runs in a process of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from breaker_exporter import Verdict

if TYPE_CHECKING:
    from breaker_exporter.otlp._send.sender import Answer

TARGET = "SCENARIO_TARGET"


def _send(seconds: float = 10.0, *, tls: bool = False) -> Callable[[], Answer]:
    import grpc

    from breaker_exporter.otlp._send.grpc import GRPCSender
    from breaker_exporter.otlp._send.sender import Deadline

    sender = GRPCSender(
        os.environ[TARGET],
        destination="grpc://collector",
        method="/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        metadata=(),
        credentials=grpc.ssl_channel_credentials if tls else None,
        compression=grpc.Compression.NoCompression,
        options=(),
    )
    global close  # noqa: PLW0603
    close = sender.close
    return lambda: sender.send(b"", Deadline.after(seconds), lambda: None)


close: Callable[[], None]


def _forked(work: Callable[[], bool]) -> bool:
    """True where `work` returns true in a forked child that then ends as interpreters do."""
    child = os.fork()
    if not child:
        os._exit(0 if work() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def a_fork_with_a_channel_open() -> None:
    send = _send()
    assert send().verdict is Verdict.DELIVERED
    assert _forked(lambda: [send().verdict, send().verdict] == [Verdict.DELIVERED] * 2)
    assert send().verdict is Verdict.DELIVERED

    def end() -> bool:
        close()
        return send().reason == "exporter is shut down"

    assert _forked(end)
    assert send().verdict is Verdict.DELIVERED


def a_child_that_sends_first() -> None:
    """The parent made it, as a preloaded application does, and has sent nothing."""
    send = _send()
    assert _forked(lambda: send().verdict is Verdict.DELIVERED)
    assert send().verdict is Verdict.DELIVERED


def _beside_the_hub(work: Callable[[], Answer]) -> tuple[Answer, float]:
    """Return the result of `work` on a native thread, and the longest gap of the hub meanwhile (s)."""
    import gevent
    from gevent.monkey import get_original

    answers: list[Answer] = []
    get_original("_thread", "start_new_thread")(lambda: answers.append(work()), ())
    gap, last, deadline = 0.0, time.monotonic(), time.monotonic() + 20
    while not answers:
        assert time.monotonic() < deadline, "the call does not end"
        gevent.sleep(0.005)
        now = time.monotonic()
        gap, last = max(gap, now - last), now
    return answers[0], gap


def a_fault_under_gevent(*, tls: bool = False) -> None:
    answer, gap = _beside_the_hub(_send(seconds=2.5, tls=tls))
    assert answer.verdict is Verdict.FAILED
    assert gap < 2.0, gap


def a_fault_under_gevent_with_grpcs_own_support() -> None:
    import grpc.experimental.gevent

    grpc.experimental.gevent.init_gevent()
    a_fault_under_gevent()


def a_fault_in_the_handshake_under_gevent() -> None:
    a_fault_under_gevent(tls=True)


def a_fork_under_gevent() -> None:
    send = _send()
    assert _beside_the_hub(send)[0].verdict is Verdict.DELIVERED
    assert _forked(lambda: _beside_the_hub(send)[0].verdict is Verdict.DELIVERED)
    assert _beside_the_hub(send)[0].verdict is Verdict.DELIVERED


def a_fork_under_gevent_with_grpcs_own_support() -> None:
    import grpc.experimental.gevent

    grpc.experimental.gevent.init_gevent()
    a_fork_under_gevent()
