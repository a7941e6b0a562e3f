"""The faults that are tried: a new one is a row here."""

from __future__ import annotations

from breaker_exporter.testing import Connections, Fault, Signal

from .cell import Event, Row, Step
from .conditions import HEALTHY, RATE, WARM_UP
from .disk.rows import DISK_ROWS
from .front import Fronting


def _status(status: int, **settings: object) -> tuple[Step, ...]:
    return (Step(Fault.STATUS, {"status": status, **settings}),)


_PROCESSES = ("gevent HTTP", "gevent gRPC", "gthread HTTP", "gevent, official HTTP wrapped")
"""Names of the columns in which events of processes are measured."""

ROWS = (
    Row("refuse", (Step(Fault.REFUSE),)),
    Row("SYN dropped", (Step(Fronting.FULL),), front="plain"),
    Row("DNS hangs", (Step(Fronting.NAME_HANGS),), front="name"),
    Row("DNS fails", (Step(Fronting.NAME_FAILS),), front="name"),
    Row("TLS handshake hangs", (Step(Fronting.NO_HANDSHAKE),), front="tls"),
    Row("certificate expired", (Step(Fronting.EXPIRED),), front="tls"),
    Row("silence", (Step(Fault.BLACKHOLE),)),
    Row("drip", (Step(Fault.DRIP),)),
    Row("reset", (Step(Fault.RESET),)),
    Row("taken, then reset", (Step(Fault.TAKEN_THEN_RESET, connections=Connections.KEEP),)),
    Row("taken, then closed", (Step(Fault.TAKEN_THEN_CLOSED, connections=Connections.KEEP),)),
    Row("garbage", (Step(Fault.GARBAGE),)),
    Row("truncated", (Step(Fault.TRUNCATED),)),
    Row("slow, 3 s", (Step(Fault.SLOW, {"seconds": 3}),)),
    Row("slow, just under the timeout", (Step(Fault.SLOW, {"seconds": 0.7}),)),
    Row("slow, just over the timeout", (Step(Fault.SLOW, {"seconds": 1.3}),)),
    *(Row(str(status), _status(status)) for status in (400, 401, 404, 413, 500, 502, 503)),
    Row("429, Retry-After 3 s", _status(429, retry_after=3)),
    Row("429, Retry-After a date", _status(429, retry_at=3), ("http",)),
    Row(
        "404 for log records alone",
        (Step(Fault.STATUS, {"status": 404}, signal=Signal.LOGS),),
        ways=("gevent HTTP, all signals", "gevent gRPC, all signals", "gevent, official HTTP, all signals"),
    ),
    Row("partial success", (Step(Fault.PARTIAL_SUCCESS, {"rejected": 5}),)),
    Row("unavailable", (Step(Fault.UNAVAILABLE),), ("grpc",)),
    Row("deadline", (Step(Fault.DEADLINE),), ("grpc",)),
    Row("GOAWAY", (Step(Fault.GOAWAY),)),
    Row("requests above 16 KiB refused", (Step(Fault.TOO_LARGE, {"limit": 16_384}),)),
    Row(
        "flapping every second",
        tuple(Step(Fault.REFUSE if second % 2 == 0 else Fault.NONE, at=float(second)) for second in range(4)),
    ),
    Row(
        "back for a moment",
        (Step(Fault.BLACKHOLE), Step(Fault.NONE, at=2.5), Step(Fault.BLACKHOLE, at=2.9)),
    ),
    Row(
        "back for one request",
        (Step(Fault.BLACKHOLE), Step(Fault.NONE, at=2.0, requests=1), Step(Fault.BLACKHOLE)),
    ),
    Row(
        "every other batch 400",
        tuple(
            Step(Fault.STATUS, {"status": 400}, at) if number % 2 == 0 else Step(Fault.NONE, at=at)
            for number, at in enumerate(second / 5 for second in range(20))
        ),
    ),
    Row("all log by a handler that yields", (Step(Fault.REFUSE),), environment={"FAULTS_LOG": "yields"}),
    Row("stderr on a full disk", (Step(Fault.REFUSE),), environment={"FAULTS_STDERR": "full"}),
    Row("stderr closed", (Step(Fault.REFUSE),), environment={"FAULTS_STDERR": "closed"}),
    Row(
        "connection pools finalised anywhere",
        (Step(Fault.SLOW, {"seconds": 0.3}),),
        environment={"FAULTS_POOLS": "1"},
        ways=("gevent, official HTTP wrapped", "gevent, wrapped, SimpleSpanProcessor"),
    ),
    *(
        row
        for name, fault in (("silence", Fault.BLACKHOLE), ("drip", Fault.DRIP))
        for row in (
            *(
                Row(f"{event.value}, in {name}", (Step(fault),), event=event, ways=_PROCESSES)
                for event in (Event.STOP, Event.STOP_BUSY, Event.QUIT)
            ),
            Row(
                f"{Event.KILL.value}, in {name}",
                (Step(fault),),
                event=Event.KILL,
                ways=_PROCESSES,
                replaces=True,
            ),
            Row(
                f"max_requests, in {name}",
                (Step(fault),),
                environment={"FAULTS_MAX_REQUESTS": str(int(RATE * (WARM_UP + HEALTHY + 1.5)))},
                ways=_PROCESSES,
                replaces=True,
            ),
            Row(f"{Event.FORK.value}, in {name}", (Step(fault),), event=Event.FORK, ways=_PROCESSES, at=0.5),
        )
    ),
    Row(
        "SIGTERM, a call in its backoff",
        _status(503),
        # With a timeout this long the official exporters wait between attempts, for seconds.
        environment={"OTEL_EXPORTER_OTLP_TIMEOUT": "10"},
        event=Event.STOP,
        at=1.2,
        ways=_PROCESSES,
    ),
    # As Python sees it: gRPC, which hands Python's clock to its own in C, would be set apart from itself.
    Row(Event.CLOCK.value, (Step(Fault.BLACKHOLE),), ("http",), event=Event.CLOCK, ways=_PROCESSES),
    *DISK_ROWS,
)
