"""``--send``: all of it arrives once, whatever the backend does to it, and no error loses any."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from breaker_exporter._spool.names import BATCH
from breaker_exporter._spool.shelf import Shelf
from breaker_exporter._spool.spool import Full, Spool
from breaker_exporter.otlp import _delivery, _encoding_exporter
from breaker_exporter.otlp._encode.request import Request
from breaker_exporter.testing import Fault

from ..spool._files import ANOTHER_USER, found, put
from ._kept import ITEMS, keep, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from breaker_exporter._core.payload import Delivery
    from breaker_exporter.otlp._payload import EncodedPayload
    from breaker_exporter.otlp._send.sender import Answer
    from breaker_exporter.testing import FaultyCollector

Capture = pytest.CaptureFixture[str]


def test_all_of_it_arrives_once_and_nothing_is_left(
    capsys: Capture, directory: Path, backend: FaultyCollector
) -> None:
    keep(directory, 3)
    keep(directory, 2, service="cart")

    ran = run(capsys, directory, "--send")

    assert ran.status == 0
    assert ran.out == f"20 spans delivered to {backend.http_base}\nnothing lies in {directory}\n"
    assert (backend.counts().spans, backend.duplicates) == (20, 0)
    assert list(directory.rglob(f"*{BATCH}")) == []


def test_it_goes_by_grpc_where_the_environment_says_so(
    capsys: Capture, directory: Path, collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(directory)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.grpc_endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")

    assert run(capsys, directory, "--send").status == 0
    assert collector.counts().spans == 3 * ITEMS


def test_the_name_of_the_exporter_may_have_the_protocol(
    capsys: Capture, directory: Path, collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(directory)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.grpc_endpoint)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console, breaker_otlp_proto_grpc")

    assert run(capsys, directory, "--send").status == 0
    assert collector.counts().spans == 3 * ITEMS


def test_json_shows_what_is_left_and_the_rest_goes_to_stderr(
    capsys: Capture, directory: Path, backend: FaultyCollector
) -> None:
    keep(directory)

    ran = run(capsys, directory, "--send", "--json")

    assert (ran.status, ran.rows) == (0, [])
    assert ran.err == f"12 spans delivered to {backend.http_base}\n"


def test_only_the_service_that_was_chosen_is_sent(
    capsys: Capture, directory: Path, backend: FaultyCollector
) -> None:
    keep(directory, 3)
    keep(directory, 1, service="cart")

    assert run(capsys, directory, "--send", "--service", "cart").status == 0
    assert backend.counts().spans == ITEMS
    assert run(capsys, directory).status == 1


def test_nothing_to_send_needs_no_backend(
    capsys: Capture, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "no URL")

    assert run(capsys, directory, "--send").status == 0


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "no URL"}, "OTEL_EXPORTER_OTLP_ENDPOINT must be"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "carrier pigeon"}, "OTEL_EXPORTER_OTLP_PROTOCOL must be"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "OTEL_TRACES_EXPORTER must name one of otlp, "),
    ],
)
def test_a_bad_variable_is_no_reason_to_send_elsewhere(
    capsys: Capture, directory: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    keep(directory)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    ran = run(capsys, directory, "--send")

    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(said)


def test_an_exporter_that_cannot_be_made_is_said(
    capsys: Capture, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(directory)

    def broken(*arguments: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("breaker_exporter._wiring.exporter_makers.otlp_exporter", broken)
    ran = run(capsys, directory, "--send")

    assert ran.status == 2
    assert "the exporter of spans cannot be made: OSError: Too many open files" in ran.err


def test_batches_of_several_exporters_have_to_be_told_apart(
    capsys: Capture, directory: Path, backend: FaultyCollector
) -> None:
    keep(directory)
    keep(directory, exporter="billing")

    ran = run(capsys, directory, "--send")

    assert ran.status == 2
    assert "what the exporters billing, collector have kept may be meant for different backends" in ran.err
    assert backend.counts().spans == 0
    assert run(capsys, directory, "--send", "--exporter", "collector").status == 0
    assert backend.counts().spans == 3 * ITEMS


def test_a_backend_that_fails_three_times_in_a_row_ends_it_and_nothing_is_lost(
    capsys: Capture, directory: Path, backend: FaultyCollector
) -> None:
    keep(directory, 5)
    backend.set_fault(Fault.STATUS, status=503)

    ran = run(capsys, directory, "--send")

    assert ran.status == 1
    assert "0 spans delivered" in ran.out
    assert "the backend has failed 3 times in a row (HTTP 503" in ran.out
    assert "; the same command goes on\n" in ran.out
    assert backend.counts().requests == 3
    backend.fault = Fault.NONE
    assert run(capsys, directory, "--send").status == 0
    assert (backend.counts().spans, backend.duplicates) == (5 * ITEMS, 0)


def test_settings_that_the_backend_does_not_take_end_it_at_once(
    capsys: Capture, directory: Path, backend: FaultyCollector
) -> None:
    keep(directory, 5)
    backend.set_fault(Fault.STATUS, status=401)

    ran = run(capsys, directory, "--send")

    assert ran.status == 1
    assert "the backend takes nothing with these settings (HTTP 401" in ran.out
    assert backend.counts().requests == 1


def test_a_backend_that_wants_to_be_left_alone_for_long_is(
    capsys: Capture, directory: Path, backend: FaultyCollector
) -> None:
    keep(directory, 5)
    backend.set_fault(Fault.RESOURCE_EXHAUSTED, retry_after=3_600)

    ran = run(capsys, directory, "--send")

    assert ran.status == 1
    assert "the backend asks to be left alone for 3600 s (HTTP 429" in ran.out
    assert backend.counts().requests == 1


def test_what_the_backend_rejects_for_good_is_removed_and_counted(
    capsys: Capture, directory: Path, backend: FaultyCollector
) -> None:
    keep(directory, 3)
    backend.set_fault(Fault.STATUS, status=400)

    ran = run(capsys, directory, "--send")

    assert ran.status == 0
    assert "0 spans delivered" in ran.out
    assert "12 spans lost, which the backend does not take: HTTP 400" in ran.out
    assert run(capsys, directory).status == 0


def test_what_rejects_everything_does_not_get_all_of_it(
    capsys: Capture, directory: Path, backend: FaultyCollector
) -> None:
    keep(directory, 12)
    backend.set_fault(Fault.STATUS, status=400)

    ran = run(capsys, directory, "--send")

    assert ran.status == 1
    assert "the backend has rejected 10 batches in a row (HTTP 400" in ran.out
    assert run(capsys, directory, "--json").rows[0]["batches"] == 2


def test_a_part_that_is_rejected_is_counted(
    capsys: Capture, directory: Path, backend: FaultyCollector
) -> None:
    keep(directory, 12)
    backend.set_fault(Fault.PARTIAL_SUCCESS, rejected=1)

    ran = run(capsys, directory, "--send")

    assert ran.status == 0
    assert "36 spans delivered" in ran.out
    assert "12 spans lost, which the backend does not take: the collector rejected 1 span" in ran.out


def fail_in_the_middle(backend: FaultyCollector, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a batch of eight split, its first half accepted, and the second one not at first."""
    calls = list[Request]()

    def deliver(
        payload: EncodedPayload, send: Callable[[Request], Answer], *rest: Any, **most: Any
    ) -> Delivery:
        def counted(request: Request) -> Answer:
            calls.append(request)
            if len(calls) == 3:
                backend.fault = Fault.UNAVAILABLE
            else:
                backend.set_fault(Fault.TOO_LARGE, limit=len(calls[0].body) - 1)
            return send(request)

        return _delivery.deliver(payload, counted, *rest, **most)

    monkeypatch.setattr(_encoding_exporter, "deliver", deliver)


def test_the_rest_of_a_batch_is_sent_alone_once_a_part_was_accepted(
    capsys: Capture, directory: Path, backend: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(directory, 1, items=8)
    fail_in_the_middle(backend, monkeypatch)

    ran = run(capsys, directory, "--send")

    assert (ran.status, ran.err) == (0, "")
    assert "8 spans delivered" in ran.out
    assert (backend.counts().spans, backend.duplicates) == (8, 0)


def test_damaged_files_are_set_aside_and_newer_ones_left_alone(
    capsys: Capture, directory: Path, backend: FaultyCollector
) -> None:
    spool = keep(directory, 2)
    broken = Path(spool.path, found(spool)[0])
    *head, last = broken.read_bytes()
    broken.write_bytes(bytes([*head, last ^ 1]))
    put(spool, b"BRKSPOOL\0\2of a newer version")

    ran = run(capsys, directory, "--send")

    assert ran.status == 1
    assert "4 spans delivered" in ran.out
    assert f"1 file damaged, set aside and never sent: {spool.path}\n" in ran.out
    assert f"1 file left alone, of a newer version of breaker-exporter: {spool.path}\n" in ran.out


def test_a_payload_that_makes_no_sense_is_set_aside(
    capsys: Capture, directory: Path, backend: FaultyCollector
) -> None:
    spool = keep(directory, 1)
    spool.open()
    spool.write(b"no batch of spans", 5, spool._now())
    spool.close()

    ran = run(capsys, directory, "--send")

    assert ran.status == 1
    assert "4 spans delivered" in ran.out
    assert "1 file damaged" in ran.out


def test_a_batch_that_the_disk_cannot_read_stays(
    capsys: Capture, directory: Path, backend: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = keep(directory, 3)
    (name, *_) = found(spool)
    read = Shelf.read

    def failing(shelf: Shelf, text: str) -> object:
        if text == name:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(shelf, text)

    monkeypatch.setattr(Shelf, "read", failing)
    ran = run(capsys, directory, "--send")

    assert ran.status == 1
    assert "8 spans delivered" in ran.out
    assert f"1 file left, which the disk cannot read: {spool.path}\n" in ran.out
    assert found(spool) == [name]


def test_the_spool_of_another_user_is_left_and_said_to_be(
    capsys: Capture, directory: Path, backend: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = keep(directory)
    keep(directory, service="cart")
    if os.geteuid() == 0:
        for path in (Path(spool.path).parent, Path(spool.path)):
            os.chown(path, ANOTHER_USER, ANOTHER_USER)
    else:
        pytest.skip("only root may give a folder away")

    ran = run(capsys, directory, "--send")

    assert ran.status == 2
    assert (
        f"belongs to user id {ANOTHER_USER} and this process runs as 0; run it as {ANOTHER_USER}" in ran.err
    )
    assert backend.counts().spans == 3 * ITEMS  # the other one's


def test_a_directory_that_anybody_may_write_to_is_not_sent_from(
    capsys: Capture, directory: Path, backend: FaultyCollector
) -> None:
    keep(directory)
    directory.chmod(0o777)

    ran = run(capsys, directory, "--send")

    assert ran.status == 2
    assert "anybody may write to it (mode 0777)" in ran.err
    assert backend.counts().spans == 0


def test_what_a_host_that_is_gone_has_kept_on_a_network_file_system_is_sent(
    capsys: Capture, directory: Path, backend: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("breaker_exporter._spool.place.network_file_system", lambda device: "nfs4")
    with monkeypatch.context() as there:
        there.setattr("socket.gethostname", lambda: "gone-1")
        keep(directory)

    assert run(capsys, directory, "--send").status == 0
    assert backend.counts().spans == 3 * ITEMS


def test_a_rest_that_cannot_be_written_goes_again_with_the_whole(
    capsys: Capture, directory: Path, backend: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At least once: what was accepted before may arrive twice, and nothing is lost."""

    def full(*arguments: object) -> None:
        raise Full("no room")

    keep(directory, 1, items=8)
    monkeypatch.setattr(Spool, "write", full)
    fail_in_the_middle(backend, monkeypatch)

    ran = run(capsys, directory, "--send")

    assert (ran.status, ran.err) == (0, "")
    assert "8 spans delivered" in ran.out
    assert (len(backend.span_ids), backend.duplicates) == (8, 4)


def test_a_volume_that_is_mounted_read_only_is_unusable(
    capsys: Capture, directory: Path, backend: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(directory)

    def read_only(*arguments: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("breaker_exporter._spool.spool.lease_in", read_only)
    ran = run(capsys, directory, "--send")

    assert ran.status == 2
    assert "/lease' cannot be used: Read-only file system; mount it so that it can be written to" in ran.err
