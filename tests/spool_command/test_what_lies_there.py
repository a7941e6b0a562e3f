"""The command without an action: a table, JSON, and what cannot be read."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from breaker_exporter._spool import place
from breaker_exporter._spool.names import BATCH, DAMAGED

from ..semantics._children import in_child
from ..spool._files import ANOTHER_USER, put
from ._kept import keep, run

if TYPE_CHECKING:
    from collections.abc import Iterator

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A directory that a user without rights can reach."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@contextmanager
def without_rights() -> Iterator[None]:
    """Inside, this process has no more rights than any user."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(ANOTHER_USER)
    try:
        yield
    finally:
        os.seteuid(user)


def test_an_empty_directory_is_done(capsys: Capture, directory: Path) -> None:
    ran = run(capsys, directory)

    assert (ran.status, ran.out, ran.err) == (0, f"nothing lies in {directory}\n", "")
    assert run(capsys, directory, "--json").rows == []
    assert run(capsys, directory, "--delete").status == 0


def test_an_empty_spool_is_done(capsys: Capture, directory: Path) -> None:
    keep(directory, 0)

    assert run(capsys, directory).status == 0
    assert list(directory.iterdir()) != []


def test_each_service_signal_and_exporter_has_a_row(capsys: Capture, directory: Path) -> None:
    began = time.time()
    keep(directory, 2, age=3_600)
    keep(directory, 1)
    keep(directory, 1, service="cart")

    ran = run(capsys, directory)

    assert ran.status == 1
    heading, cart, shop = ran.out.splitlines()
    assert heading.split()[:6] == ["service", "signal", "exporter", "items", "batches", "bytes"]
    assert heading.split()[6:] == ["oldest", "newest", "aside", "newer"]
    assert cart.split()[:6] == ["cart", "spans", "collector", "4", "1", "4,096"]
    assert shop.split()[:6] == ["shop/checkout", "spans", "collector", "12", "3", "12,288"]
    assert time.strftime("%Y-%m-%d", time.gmtime(began - 3_600)) in shop


def test_json_has_numbers(capsys: Capture, directory: Path) -> None:
    began = time.time()
    spool = keep(directory, 2, age=3_600)
    put(spool, b"BRKSPOOL\0\2of a newer version")
    put(spool, b"damaged", suffix=DAMAGED)

    ran = run(capsys, directory, "--json")

    assert ran.status == 1
    (row,) = ran.rows
    assert (row["service"], row["signal"], row["exporter"]) == ("shop/checkout", "spans", "collector")
    assert (row["items"], row["batches"], row["bytes"]) == (8, 2, 4 * 4_096)
    assert (row["set_aside"], row["newer"], row["host"], row["path"]) == (1, 1, None, spool.path)
    assert row["oldest"] == row["newest"] == pytest.approx(began - 3_600, abs=60)


def test_what_is_never_sent_is_said(capsys: Capture, directory: Path) -> None:
    spool = keep(directory, 0)
    put(spool, b"BRKSPOOL\0\2of a newer version")
    put(spool, b"damaged", suffix=DAMAGED)

    ran = run(capsys, directory)

    assert ran.status == 1
    assert f"1 file damaged, set aside and never sent: {spool.path}\n" in ran.out
    assert f"1 file left alone, of a newer version of breaker-exporter: {spool.path}\n" in ran.out


def test_rows_are_chosen_by_service_and_exporter(capsys: Capture, directory: Path) -> None:
    keep(directory, 1, service="cart")
    keep(directory, 1, exporter="other")

    assert [row["service"] for row in run(capsys, directory, "--json", "--service", "cart").rows] == ["cart"]
    only = run(capsys, directory, "--json", "--exporter", "other").rows
    assert [row["service"] for row in only] == ["shop/checkout"]
    assert run(capsys, directory, "--service", "unknown").status == 0


def test_the_host_is_shown_on_a_network_file_system(
    capsys: Capture, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "network_file_system", lambda device: "nfs4")
    monkeypatch.setattr("socket.gethostname", lambda: "web-1")
    keep(directory)

    assert "shop/checkout (web-1)  spans" in run(capsys, directory).out
    assert run(capsys, directory, "--json").rows[0]["host"] == "web-1"


def test_a_name_cannot_write_to_the_terminal(capsys: Capture, directory: Path) -> None:
    keep(directory, service="\x1b[2Jshop")

    assert "\x1b" not in run(capsys, directory).out


@pytest.mark.parametrize("action", [(), ("--send",), ("--delete",)])
def test_no_directory_is_unusable(capsys: Capture, tmp_path: Path, action: tuple[str, ...]) -> None:
    ran = run(capsys, tmp_path / "missing", *action)

    assert (ran.status, ran.out) == (2, "")
    assert ran.err == f"'{tmp_path}/missing' cannot be used: No such file or directory\n"


def test_a_file_is_no_directory(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    ran = run(capsys, tmp_path / "file")

    assert ran.status == 2
    assert "Not a directory" in ran.err


def test_what_another_user_has_kept_is_unusable_for_one_without_rights(
    capsys: Capture, reachable: Path
) -> None:
    spool = keep(reachable)
    Path(spool.path).parent.chmod(0)

    def check() -> None:
        with without_rights():
            ran = run(capsys, reachable)
        assert (ran.status, ran.out) == (2, "")
        assert f"'{reachable}/shop%2Fcheckout' cannot be read: Permission denied; run this as" in ran.err

    in_child(check)
    Path(spool.path).parent.chmod(0o700)


def test_the_rest_is_shown_beside_what_cannot_be_read(capsys: Capture, reachable: Path) -> None:
    spool = keep(reachable)
    keep(reachable, service="cart")
    hidden = next(Path(spool.path).glob(f"*{BATCH}"))
    for path in reachable.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    hidden.chmod(0)

    def check() -> None:
        with without_rights():
            ran = run(capsys, reachable, "--json")
        assert ran.status == 1
        assert [row["items"] for row in ran.rows] == [12, 8]
        assert f"'{hidden}' cannot be read: Permission denied" in ran.err

    in_child(check)


def test_what_vanishes_meanwhile_is_nothing_to_tell(
    capsys: Capture, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = keep(directory)
    keep(directory, service="cart")
    scandir = os.scandir

    def vanishing(path: str | int) -> object:
        if path == os.path.dirname(spool.path):
            shutil.rmtree(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", vanishing)
    ran = run(capsys, directory, "--json")

    assert [row["service"] for row in ran.rows] == ["cart"]
    assert ran.err == ""


def test_ctrl_c_while_it_looks_is_one_line(
    capsys: Capture, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("breaker_exporter._spool_command.selection.services", interrupted)
    ran = run(capsys, directory)

    assert (ran.status, ran.out, ran.err) == (1, "", "interrupted\n")
