"""What the doctor and the command line see in a directory, without changing it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from breaker_exporter._spool import place
from breaker_exporter._spool.listing import Found, services
from breaker_exporter._spool.names import DAMAGED
from breaker_exporter._spool.spool import Spool

from ..semantics._children import in_child
from ._clock import Clock
from ._files import ANOTHER_USER, fill, no_rest, put
from ._processes import just_before

if TYPE_CHECKING:
    from .conftest import Make

BLOCK = 4_096


def everything_in(directory: Path) -> list[tuple[str, int, int, float]]:
    found = [path.stat() for path in sorted(directory.rglob("*"))]
    paths = map(str, sorted(directory.rglob("*")))
    return [
        (path, stat.st_mode, stat.st_size, stat.st_mtime) for path, stat in zip(paths, found, strict=True)
    ]


def test_each_service_signal_and_exporter_has_a_line(directory: Path, make: Make, clock: Clock) -> None:
    spools = [
        make(service="shop/checkout", now=clock),
        make("logs", service="shop/checkout", now=clock),
        make(exporter="a-b/c", service="cart", now=clock),
    ]
    fill(spools[0], 1)
    clock.advance(60)
    fill(spools[0], 2, items=7)
    put(spools[0], b"BRKSPOOL\0\2whatever")
    put(spools[0], b"damaged", suffix=DAMAGED)
    put(spools[0], b"damaged, and nobody has looked yet")
    (directory / "lost+found").mkdir(0)
    (directory / "file").write_text("")
    (directory / "cart" / "other").mkdir()
    before = everything_in(directory)

    cart, logs, traces = services(str(directory))

    assert (cart.service, cart.signal, cart.exporter) == ("cart", "traces", "a-b/c")
    assert logs == Found(
        path=spools[1].path,
        host=None,
        service="shop/checkout",
        signal="logs",
        exporter="collector",
        items=0,
        bytes=0,
        oldest=None,
        newest=None,
        batches=0,
        set_aside=0,
        newer=0,
    )
    assert (traces.items, traces.batches, traces.bytes) == (19, 3, 6 * BLOCK)
    assert (traces.set_aside, traces.newer) == (2, 1)
    assert traces.oldest is not None
    assert traces.newest is not None
    assert traces.newest - traces.oldest == pytest.approx(60, abs=0.1)
    assert everything_in(directory) == before


def test_hosts_are_told_apart(directory: Path, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "network_file_system", lambda device: "nfs4")
    for host in ("web-2", "web-1"):
        monkeypatch.setattr("socket.gethostname", lambda host=host: host)
        fill(make(), 1)
    monkeypatch.undo()
    fill(make(service="host@web-1"), 1)

    found = [(one.host, one.service) for one in services(str(directory))]

    assert found == [(None, "host@web-1"), ("web-1", "shop/checkout"), ("web-2", "shop/checkout")]


def test_links_are_not_followed(directory: Path, make: Make, tmp_path: Path) -> None:
    spool = make()
    fill(spool, 1)
    elsewhere = tmp_path / "elsewhere"
    Path(spool.path).parent.rename(elsewhere)
    (directory / "shop%2Fcheckout").symlink_to(elsewhere)

    assert list(services(str(directory))) == []


def test_what_is_sent_meanwhile_is_not_counted(directory: Path, make: Make) -> None:
    spool = make()
    (name,) = fill(spool, 1)

    def check() -> None:
        just_before("open", Path(spool.path, name).unlink, name)
        (found,) = services(str(directory))
        assert (found.items, found.batches) == (0, 0)

    in_child(check)


def test_what_is_no_directory_is_an_error(directory: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(services(str(directory / "missing")))


@pytest.mark.parametrize("what", ["service", "spool", "file"])
def test_what_cannot_be_read_is_told_or_raised(
    directory: Path, make: Make, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    spool = make()
    (name,) = fill(spool, 1)
    fill(make(service="another"), 1)
    path = {"service": Path(spool.path).parent, "spool": Path(spool.path), "file": Path(spool.path, name)}[
        what
    ]

    def check() -> None:
        if os.geteuid() == 0:
            os.seteuid(ANOTHER_USER)
        errors: list[OSError] = []
        found = list(services(".", errors.append))
        with pytest.raises(PermissionError):
            list(services("."))
        os.seteuid(user)
        assert [one.service for one in found if one.items] == ["another"]
        assert [(type(error), error.filename) for error in errors] == [(PermissionError, relative)]

    user = os.geteuid()
    relative = os.path.join(".", path.relative_to(directory))
    directory.chmod(0o755)
    for each in directory.rglob("*"):
        each.chmod(0o755 if each.is_dir() else 0o644)
    path.chmod(0)
    monkeypatch.chdir(directory)
    in_child(check)


def test_a_folder_that_vanishes_meanwhile_is_told(directory: Path, make: Make) -> None:
    spool = make()

    def check() -> None:
        errors: list[OSError] = []
        just_before("open", lambda: shutil.rmtree(spool.path), spool.path)
        assert list(services(str(directory), errors.append)) == []
        assert [type(error) for error in errors] == [FileNotFoundError]

    in_child(check)


def test_a_link_in_the_place_of_a_hosts_folder_is_not_followed(
    directory: Path, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "network_file_system", lambda device: "nfs4")
    fill(make(), 1)
    (found,) = services(str(directory))
    folder = Path(found.path).parents[1]
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")

    assert list(services(str(directory))) == []


def test_a_spool_that_was_found_is_opened_where_it_is(
    directory: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of another host too, whatever the length of its names."""
    monkeypatch.setattr(place, "network_file_system", lambda device: "nfs4")
    with monkeypatch.context() as there:
        there.setattr("socket.gethostname", lambda: "another-host")
        names = fill(make(service="\u00fc" * 100, exporter="x" * 300), 2)
    (found,) = services(str(directory))

    spool = Spool.at(str(directory), found.path, found.signal)
    spool.open()

    assert spool.path == found.path
    assert spool.warning is None
    assert spool.names(no_rest) == names
    assert spool.try_lease()
    assert sum(removed.items for removed in spool.tidy(-1.0, no_rest)) == 10
    spool.close()
