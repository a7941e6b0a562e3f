"""The gRPC sender on real servers: what each answer means, on which connection, and what goes along."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.rpc.status_pb2 import Status

from breaker_exporter import Verdict
from breaker_exporter._core.report import Cause
from breaker_exporter.otlp._send import grpc as grpc_sender
from breaker_exporter.otlp._send.grpc import GRPCSender
from breaker_exporter.otlp._send.grpc_answer import USUAL_LIMIT
from breaker_exporter.otlp._send.sender import Answer, Deadline
from breaker_exporter.otlp._send.statuses import GRPC
from breaker_exporter.testing import Connections, Fault, FaultyCollector

from ..semantics._spans import spans
from ..semantics._waiting import until
from ._compare import body_of
from ._grpc_server import METHOD, Act, abort, answering, details, good, partial, retry, waiting

CREDENTIALS = "check the credentials in the headers"
RECEIVER = "check that the endpoint takes OTLP over gRPC"
TAKEN = Answer(Verdict.DELIVERED)


@contextlib.contextmanager
def sending(target: str, **more: Any) -> Iterator[Callable[..., Answer]]:
    """Sends so many bytes, or these, in so many seconds."""
    settings = {
        "destination": f"grpc://{target}",
        "method": METHOD,
        "metadata": (),
        "credentials": None,
        "compression": grpc.Compression.NoCompression,
        "options": (),
        **more,
    }
    sender = GRPCSender(target.removeprefix("http://"), **settings)

    def send(body: bytes = b"", seconds: float = 20.0) -> Answer:
        return sender.send(body, Deadline.after(seconds), lambda: None)

    try:
        yield send
    finally:
        sender.close()


def answer_to(act: Act, body: bytes = b"", **more: Any) -> Answer:
    any_size = (("grpc.max_receive_message_length", -1),)
    with answering(act, options=any_size) as server, sending(server.target, **more) as send:
        return send(body)


@pytest.mark.parametrize(
    ("code", "verdict", "cause", "advice"),
    [
        ("CANCELLED", Verdict.FAILED, Cause.GATEWAY, ""),
        ("UNKNOWN", Verdict.FAILED, Cause.ANSWERED, ""),
        ("INVALID_ARGUMENT", Verdict.REJECTED, Cause.ANSWERED, ""),
        ("DEADLINE_EXCEEDED", Verdict.FAILED, Cause.GATEWAY, ""),
        ("NOT_FOUND", Verdict.MISCONFIGURED, Cause.ANSWERED, RECEIVER),
        ("ALREADY_EXISTS", Verdict.FAILED, Cause.GATEWAY, ""),
        ("PERMISSION_DENIED", Verdict.MISCONFIGURED, Cause.ANSWERED, f"{CREDENTIALS} and what they may do"),
        ("RESOURCE_EXHAUSTED", Verdict.FAILED, Cause.BUSY, ""),
        ("FAILED_PRECONDITION", Verdict.FAILED, Cause.GATEWAY, ""),
        ("ABORTED", Verdict.FAILED, Cause.GATEWAY, ""),
        ("OUT_OF_RANGE", Verdict.REJECTED, Cause.ANSWERED, ""),
        ("UNIMPLEMENTED", Verdict.MISCONFIGURED, Cause.ANSWERED, RECEIVER),
        ("INTERNAL", Verdict.FAILED, Cause.ANSWERED, ""),
        ("UNAVAILABLE", Verdict.FAILED, Cause.UNKNOWN, ""),
        ("DATA_LOSS", Verdict.FAILED, Cause.ANSWERED, ""),
        ("UNAUTHENTICATED", Verdict.MISCONFIGURED, Cause.ANSWERED, CREDENTIALS),
    ],
)
def test_a_status_says_what_became_of_a_request_and_what_to_do(
    code: str, verdict: Verdict, cause: Cause, advice: str
) -> None:
    """O2 and G4: each of them, with words, without, and with a pause that is asked for."""
    status = grpc.StatusCode[code]
    pause = (("grpc-status-details-bin", details(retry(7.5))),)
    script = abort(status, "ingest token\nexpired"), abort(status), abort(status, "later", pause)
    with answering(*script) as server, sending(server.target) as send:
        told, bare, later = send(), send(), send()

    hint = f"; {advice}" if advice else ""
    assert told == Answer(verdict, f"{code}: ingest token expired{hint}", cause=cause)
    assert bare == Answer(verdict, f"{code}: {advice}" if advice else code, cause=cause)
    asked = Cause.BUSY if code == "UNAVAILABLE" else cause
    assert later == Answer(verdict, f"{code}: later{hint}", retry_after=7.5, cause=asked)


def test_every_status_of_grpc_is_known() -> None:
    assert set(GRPC) < {code.name for code in grpc.StatusCode}


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ((("grpc-status-details-bin", details(Status(), retry(7.5))),), 7.5),
        ((("google.rpc.retryinfo-bin", retry(7.5).SerializeToString()),), 7.5),
        ((("grpc-status-details-bin", details(retry(1e12))),), 86_400.0),
        ((("grpc-status-details-bin", details(retry(-5))),), None),
        ((("grpc-status-details-bin", details(Status())),), None),
        ((("grpc-status-details-bin", b"\xff"),), None),
        ((("google.rpc.retryinfo-bin", b"\xff"),), None),
        ((("google.rpc.retryinfo-bin", retry(0).SerializeToString()),), None),
        ((), None),
    ],
)
def test_a_server_that_asks_for_a_pause_is_heard(
    metadata: tuple[tuple[str, bytes], ...], expected: float | None
) -> None:
    """Its text may be what has no place in details that are binary, too."""
    assert answer_to(abort(grpc.StatusCode.UNAVAILABLE, "", metadata)).retry_after == expected


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (good, TAKEN),
        (partial(0), TAKEN),
        (partial(2, "quota\nused up"), Answer(Verdict.DELIVERED, "quota used up", rejected=2)),
        (partial(2), Answer(Verdict.DELIVERED, rejected=2)),
        (partial(0, "deprecated"), Answer(Verdict.DELIVERED, remark="the collector warns: deprecated")),
        (partial(-1, "odd"), Answer(Verdict.DELIVERED, remark="the collector warns: odd")),
        (
            lambda _: b"\xff",
            Answer(
                Verdict.DELIVERED,
                remark="OK, but the answer is no OTLP: what was sent counts as exported; "
                "look at the endpoint if it does not arrive",
            ),
        ),
    ],
)
def test_a_partial_success_is_read(act: Act, expected: Answer) -> None:
    """P3, G4."""
    assert answer_to(act) == expected


@pytest.mark.parametrize(
    "act",
    [
        abort(grpc.StatusCode.UNAUTHENTICATED, "you sent hunter2-header"),
        partial(1, "you sent hunter2-header"),
        partial(0, "you sent hunter2-header"),
    ],
)
def test_no_secret_comes_back_in_the_words_of_a_backend(act: Act) -> None:
    """G4."""
    told = answer_to(act, metadata=(("x-key", "hunter2-header"), ("x-key-bin", b"\0secret")))
    assert "you sent ***" in told.reason + told.remark


LARGE = USUAL_LIMIT + 1


@pytest.mark.parametrize(
    ("act", "size", "is_too_large", "verdict"),
    [
        (abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no reason"), LARGE, True, Verdict.REJECTED),
        (abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no reason"), 1000, False, Verdict.FAILED),
        (
            abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "grpc: received message larger than max (9 vs. 8)"),
            *(1000, True, Verdict.REJECTED),
        ),
        (
            abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "gRPC message exceeds maximum size 4: 5"),
            *(1000, True, Verdict.REJECTED),
        ),
        (
            abort(grpc.StatusCode.OUT_OF_RANGE, "Error, decoded message length too large: found 5 bytes"),
            *(1000, True, Verdict.REJECTED),
        ),
        (abort(grpc.StatusCode.OUT_OF_RANGE, "time in the future"), LARGE, False, Verdict.REJECTED),
        (abort(grpc.StatusCode.INTERNAL, "buffer larger than max"), 1000, False, Verdict.FAILED),
        (
            abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "received message larger than max",
                (("grpc-status-details-bin", details(retry(3))),),
            ),
            *(LARGE, False, Verdict.FAILED),
        ),
    ],
)
def test_a_message_above_the_limit_is_known(
    act: Act, size: int, is_too_large: bool, verdict: Verdict
) -> None:
    """O2: in the words of grpcio, grpc-go, grpc-java and tonic, and by its size; not where it is the pace."""
    told = answer_to(act, bytes(size))
    assert (told.is_too_large, told.verdict) == (is_too_large, verdict)


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_real_server_that_takes_4_mib_says_so(compression: grpc.Compression) -> None:
    with answering() as server, sending(server.target, compression=compression) as send:
        assert send(bytes(USUAL_LIMIT)) == TAKEN
        told = send(bytes(LARGE))
    assert (told.is_too_large, told.verdict) == (True, Verdict.REJECTED)
    assert "larger than max" in told.reason


def test_a_limit_of_the_channel_itself_splits_too() -> None:
    options = (("grpc.max_send_message_length", 1000),)
    assert answer_to(good, bytes(1001), options=options).is_too_large


def test_an_answer_that_is_too_large_splits_nothing() -> None:
    """The request was read: to send its halves would deliver it twice."""
    told = answer_to(lambda _: bytes(LARGE), bytes(LARGE))
    assert (told.verdict, told.is_too_large) == (Verdict.FAILED, False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "failed to connect to all addresses; last error: UNKNOWN: ipv4:10.0.0.1:4317: Tls handshake "
            "failed (TSI_PROTOCOL_FAILURE): SSL_ERROR_SSL: error:1000007d:SSL routines:OPENSSL_internal:"
            "CERTIFICATE_VERIFY_FAILED: certificate has expired",
            "ipv4:10.0.0.1:4317: Tls handshake failed (TSI_PROTOCOL_FAILURE): CERTIFICATE_VERIFY_FAILED: "
            "certificate has expired",
        ),
        (
            "failed to connect to all addresses; last error: UNAVAILABLE: ipv6:%5B::1%5D:4317: no route",
            "ipv6:%5B::1%5D:4317: no route",
        ),
    ],
)
def test_the_cause_of_a_connection_that_failed_is_not_cut_off(words: str, said: str) -> None:
    """G4: gRPC puts so much before it that it would lie beyond the end of the line."""
    assert answer_to(abort(grpc.StatusCode.UNAVAILABLE, words)).reason == f"UNAVAILABLE: {said}"


def test_metadata_user_agent_and_compression_go_along() -> None:
    metadata = {"x-key": "text", "x-key-bin": b"\x00\xff"}
    options = (("grpc.primary_user_agent", "shop/1"),)
    with answering() as server:
        gzip = grpc.Compression.Gzip
        with sending(
            server.target, metadata=tuple(metadata.items()), options=options, compression=gzip
        ) as send:
            assert send(b"\x0a\x00" * 5000) == TAKEN
        assert server.requests == [b"\x0a\x00" * 5000]
        (received,) = server.metadata
    assert {name: received[name] for name in metadata} == metadata
    assert received["user-agent"].startswith("shop/1 grpc-python/")


def test_a_silent_server_costs_the_time_that_there_is_and_no_more(collector: FaultyCollector) -> None:
    """Its connection is left: what is silent once stays so."""
    with sending(collector.grpc_endpoint) as send:
        assert send() == TAKEN
        collector.fault = Fault.BLACKHOLE
        reason = "DEADLINE_EXCEEDED: no answer in 0.25 s"
        assert send(seconds=0.25) == Answer(Verdict.FAILED, reason, cause=Cause.UNANSWERED)
        collector.set_fault(Fault.NONE, connections=Connections.KEEP)
        assert send(seconds=5) == TAKEN


def test_a_deadline_of_the_servers_own_is_not_taken_for_ours(collector: FaultyCollector) -> None:
    collector.fault = Fault.DEADLINE
    with sending(collector.grpc_endpoint) as send:
        assert send().reason == "DEADLINE_EXCEEDED: the fault of this collector"


def test_no_time_left_touches_nothing(collector: FaultyCollector) -> None:
    with sending(collector.grpc_endpoint) as send:
        assert send(seconds=-1.0).verdict is Verdict.FAILED
    assert collector.counts().connections == 0


def test_a_port_that_opens_again_is_found_at_once(collector: FaultyCollector) -> None:
    """P5: gRPC by itself waits longer and longer before it connects again, two minutes in the end."""
    with sending(collector.grpc_endpoint) as send:
        collector.fault = Fault.REFUSE
        for _ in range(5):
            assert "Connection refused" in send().reason
        collector.fault = Fault.NONE
        assert send() == TAKEN


@pytest.mark.parametrize("kept_alive", [False, True])
def test_what_a_peer_has_read_before_it_resets_the_connection_is_not_sent_again(
    collector: FaultyCollector, kept_alive: bool
) -> None:
    """O5."""
    with sending(collector.grpc_endpoint) as send:
        for _ in range(kept_alive):
            assert send() == TAKEN
        collector.set_fault(Fault.TAKEN_THEN_RESET, connections=Connections.KEEP)

        # grpcio 1.63 does not always see such a reset before the deadline.
        assert send().reason.startswith(("UNAVAILABLE: ", "DEADLINE_EXCEEDED: "))

        assert collector.counts().requests == 1 + kept_alive
        collector.fault = Fault.NONE
        assert send() == TAKEN


def test_one_connection_serves_all_calls(collector: FaultyCollector) -> None:
    with sending(collector.grpc_endpoint) as send:
        assert [send() for _ in range(5)] == [TAKEN] * 5
    assert collector.counts().connections == 1


def test_a_connection_that_the_server_ended_while_idle_is_replaced(
    collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O5: what is sent then arrives once. gRPC itself may notice only in the call that fails."""
    body = body_of(spans(1))
    with sending(collector.grpc_endpoint) as send:
        assert send() == TAKEN
        for count in range(1, 4):
            collector.set_fault(Fault.NONE, connections=Connections.DROP)
            with monkeypatch.context() as patch:
                patch.setattr(grpc_sender, "_LONGEST_IDLE", 0.0)
                assert send(body) == TAKEN
            assert (collector.counts().spans, collector.counts().connections) == (count, 1 + count)
        assert send() == TAKEN
        assert collector.counts().connections == 4


def test_a_connection_that_was_idle_for_long_is_replaced(
    collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it seems to be there: on the way it may have been dropped without a word."""
    with sending(collector.grpc_endpoint) as send:
        assert send() == TAKEN
        monkeypatch.setattr(grpc_sender, "_LONGEST_IDLE", 0.0)
        assert send() == TAKEN
    assert collector.counts().connections == 2


def test_a_connection_with_a_call_under_way_is_not_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    monkeypatch.setattr(grpc_sender, "_LONGEST_IDLE", 0.0)
    with answering(waiting(stop)) as server, sending(server.target) as send:
        thread, told = in_background(send)
        until(lambda: bool(server.requests))
        assert send() == TAKEN
        stop.set()
        thread.join(10)
        assert told == [TAKEN]
        assert len(set(server.peers)) == 1


def test_the_applications_own_channel_shares_no_connection(collector: FaultyCollector) -> None:
    target = collector.grpc_endpoint.removeprefix("http://")
    with grpc.insecure_channel(target) as own, sending(collector.grpc_endpoint) as send:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = own.unary_unary(METHOD)
        assert call(b"", timeout=20) == b""
        assert send() == TAKEN
        assert collector.counts().connections == 2


def in_background(send: Callable[..., Answer], body: bytes = b"") -> tuple[threading.Thread, list[Answer]]:
    told: list[Answer] = []
    thread = threading.Thread(target=lambda: told.append(send(body)), daemon=True)
    thread.start()
    return thread, told


def test_a_shutdown_ends_what_is_under_way_and_what_comes_later() -> None:
    stop = threading.Event()
    with answering(waiting(stop)) as server:
        sender = GRPCSender(
            server.target,
            destination="grpc://x",
            method=METHOD,
            metadata=(),
            credentials=None,
            compression=grpc.Compression.NoCompression,
            options=(),
        )
        assert sender.destination == "grpc://x"
        thread, told = in_background(lambda body: sender.send(body, Deadline.after(20), lambda: None))
        until(lambda: bool(server.requests))
        sender.close()
        thread.join(10)
        stop.set()
        assert told == [Answer(Verdict.FAILED, "the exporter was shut down meanwhile")]
        later = sender.send(b"", Deadline.after(20), lambda: None)
        assert later == Answer(Verdict.FAILED, "exporter is shut down", cause=Cause.UNREACHABLE)
        sender.close()


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        (good, TAKEN),
        (abort(grpc.StatusCode.UNAVAILABLE, "late"), Answer(Verdict.FAILED, "UNAVAILABLE: late")),
    ],
)
def test_a_call_that_fails_does_not_end_the_one_beside_it(late: Act, expected: Answer) -> None:
    """Both on one connection, which the next call leaves."""
    stop = threading.Event()
    script = waiting(stop, late), abort(grpc.StatusCode.UNAVAILABLE)
    with answering(*script) as server, sending(server.target) as send:
        thread, told = in_background(send, b"\x0a\x00")
        until(lambda: bool(server.requests))
        assert send() == Answer(Verdict.FAILED, "UNAVAILABLE")
        assert send() == TAKEN
        stop.set()
        thread.join(10)
        assert told == [expected]
        assert send() == TAKEN


def test_a_socket_of_the_file_system_and_a_resolver_are_targets(tmp_path: Any) -> None:
    with answering(address=f"unix:{tmp_path}/otlp") as server, sending(server.target) as send:
        assert send() == TAKEN
    with answering() as server, sending(f"dns:///{server.target}") as send:
        assert send() == TAKEN


def test_credentials_are_made_anew_for_each_connection(authority: Any, tmp_path: Any) -> None:
    """A certificate that was replaced is used from the next connection on."""
    issued = authority.issue_cert("127.0.0.1")
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    server_credentials = grpc.ssl_server_credentials([(issued.private_key_pem.bytes(), chain)])
    roots = [b"unreadable", authority.cert_pem.bytes()]

    def credentials() -> grpc.ChannelCredentials:
        return grpc.ssl_channel_credentials(roots.pop(0))

    with (
        answering(credentials=server_credentials) as server,
        sending(server.target, credentials=credentials) as send,
    ):
        assert send().verdict is Verdict.FAILED
        assert [send(), send()] == [TAKEN] * 2


def test_a_call_takes_no_longer_where_nobody_answers_the_handshake(collector: FaultyCollector) -> None:
    """O2: a TLS handshake into a blackhole."""
    collector.fault = Fault.BLACKHOLE
    with sending(collector.grpc_endpoint, credentials=grpc.ssl_channel_credentials) as send:
        began = time.monotonic()
        assert send(seconds=0.3).reason == "DEADLINE_EXCEEDED: no answer in 0.3 s"
        assert time.monotonic() - began < 10
