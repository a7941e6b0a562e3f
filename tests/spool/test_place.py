"""The folders of a spool (K7): made with care, checked, and never somebody else's."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from breaker_exporter._spool import lease, place
from breaker_exporter._spool.spool import CannotUse, Spool

from ..semantics._children import in_child
from ._files import ANOTHER_USER, fill, found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Make


def spool_in(directory: Path | str) -> Spool:
    return Spool(str(directory), "shop/checkout", "traces", "collector", limit=1 << 20, keep_newest=True)


def opened(directory: Path | str) -> Spool:
    spool = spool_in(directory)
    spool.open()
    spool.close()
    return spool


def mode_of(path: Path | str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def refusal(directory: Path | str) -> str:
    """Return why a directory cannot be used: one line, on which its path stands."""
    spool = spool_in(directory)
    with pytest.raises(CannotUse) as error:
        spool.open()
    assert not spool.has_any()
    assert "\n" not in str(error.value)
    return str(error.value)


def give_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a file somebody else's or, without the right to, this process somebody else."""
    if os.geteuid() == 0:
        os.chown(path, ANOTHER_USER, ANOTHER_USER, follow_symlinks=False)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: ANOTHER_USER)


@pytest.fixture
def as_user() -> Iterator[Path]:
    """A directory that a user without rights can reach."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_nothing_is_made_before_it_is_opened(directory: Path) -> None:
    assert not spool_in(directory).has_any()

    assert list(directory.iterdir()) == []


def test_what_is_made_is_for_us_alone(directory: Path, make: Make) -> None:
    spool = make()
    (name,) = fill(spool, 1)

    assert Path(spool.path) == directory / "shop%2Fcheckout" / "traces-collector"
    assert spool.warning is None
    assert mode_of(directory / "shop%2Fcheckout") == mode_of(spool.path) == 0o700
    assert mode_of(f"{spool.path}/{name}") == mode_of(f"{spool.path}/lease") == 0o600


def test_the_directory_itself_is_made_but_nothing_above_it(tmp_path: Path) -> None:
    opened(tmp_path / "new")

    assert mode_of(tmp_path / "new") == 0o700
    said = refusal(tmp_path / "missing" / "new")
    assert "No such file or directory; make the folder above it" in said
    assert not (tmp_path / "missing").exists()


def test_the_directory_may_be_a_link_and_somebody_elses(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() == 0:
        os.chown(directory, ANOTHER_USER, ANOTHER_USER)
    (tmp_path / "link").symlink_to(directory)

    opened(tmp_path / "link")

    assert (directory / "shop%2Fcheckout" / "traces-collector").is_dir()


@pytest.mark.parametrize(
    ("mode", "is_usable"), [(0o777, False), (0o1777, True), (0o2775, True), (0o703, False)]
)
def test_a_directory_that_anybody_may_write_to_needs_the_sticky_bit(
    directory: Path, mode: int, is_usable: bool
) -> None:
    directory.chmod(mode)

    if is_usable:
        opened(directory)
    else:
        assert "anybody may write to it" in refusal(directory)
        assert list(directory.iterdir()) == []


@pytest.mark.parametrize("depth", ["shop%2Fcheckout", "shop%2Fcheckout/traces-collector"])
@pytest.mark.parametrize("kind", ["link", "dangling", "file", "pipe"])
def test_what_lies_in_the_place_of_our_folder_is_not_followed(
    directory: Path, tmp_path: Path, depth: str, kind: str
) -> None:
    ours = directory / depth
    if ours.parent != directory:
        ours.parent.mkdir(0o700)
    (tmp_path / "elsewhere").mkdir(0o700)
    if kind == "link":
        ours.symlink_to(tmp_path / "elsewhere")
    elif kind == "dangling":
        ours.symlink_to(tmp_path / "nowhere")
    elif kind == "file":
        ours.write_text("")
    else:
        os.mkfifo(ours)

    said = refusal(directory)

    assert f"{str(ours)!r} cannot be used: it is a link or no folder; remove it" in said
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("depth", ["shop%2Fcheckout", "shop%2Fcheckout/traces-collector"])
def test_our_folder_must_not_be_somebody_elses(
    directory: Path, depth: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(directory)
    give_away(directory / depth, monkeypatch)

    assert "belongs to user id" in refusal(directory)


@pytest.mark.parametrize("mode", [0o701, 0o755, 0o777, 0o1777])
def test_others_must_not_enter_our_folder(directory: Path, mode: int) -> None:
    ours = Path(opened(directory).path)
    ours.chmod(mode)

    assert f"others may enter it (mode {mode:04o})" in refusal(directory)
    assert mode_of(ours) == mode


def test_what_kubernetes_gives_the_group_is_taken_back(make: Make) -> None:
    """On each mount of a volume with an fsGroup: folders get 2770, files 0660."""
    spool = make()
    (name,) = fill(spool, 1)
    Path(spool.path).chmod(0o2770)
    for file in Path(spool.path).iterdir():
        file.chmod(0o660)
    spool.close()

    spool.open()

    assert mode_of(spool.path) == 0o700
    assert spool.read(name) is not None


def test_a_folder_in_an_empty_dir_of_kubernetes_is_used(tmp_path: Path) -> None:
    """The emptyDir itself, mode 0777 or with an fsGroup 2777, is not."""
    tmp_path.chmod(0o2777)

    assert "or name a folder in it" in refusal(tmp_path)
    assert mode_of(Path(opened(tmp_path / "kept").path)) & 0o777 == 0o700


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "open to others"])
def test_what_lies_in_the_place_of_the_lease_is_not_used(directory: Path, tmp_path: Path, kind: str) -> None:
    file = Path(opened(directory).path, "lease")
    file.unlink()
    if kind == "link":
        (tmp_path / "mine").write_text("")
        file.symlink_to(tmp_path / "mine")
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    else:
        file.write_text("")
        file.chmod(0o606)

    assert f"{str(file)!r} cannot be used: it is not ours; remove it" in refusal(directory)


def test_a_file_that_takes_the_leases_place_meanwhile_is_not_used(directory: Path) -> None:
    folder = os.open(directory, os.O_RDONLY)
    (directory / "lease").write_text("")
    (directory / "lease").chmod(0o604)
    try:
        with pytest.raises(lease.NotOurs):
            lease._opened(folder)
    finally:
        os.close(folder)


def test_without_the_right_to_write_it_says_who_needs_it(as_user: Path) -> None:
    def check() -> None:
        if os.geteuid() == 0:
            os.setuid(ANOTHER_USER)
        else:
            as_user.chmod(0o555)
        assert f"Permission denied; let user id {os.geteuid()} write there" in refusal(as_user)

    in_child(check)


def test_a_folder_in_which_nothing_can_be_made_cannot_be_used(as_user: Path) -> None:
    """As on a file system that is read-only by now."""

    def check() -> None:
        if os.geteuid() == 0:
            os.setuid(ANOTHER_USER)
        spool = opened(as_user)
        Path(spool.path, "lease").unlink()
        Path(spool.path).chmod(0o500)
        assert f"{spool.path + '/lease'!r} cannot be used: Permission denied; let user id" in refusal(as_user)

    as_user.chmod(0o1777)
    in_child(check)


@pytest.mark.parametrize(
    ("directory", "reason"),
    [
        ("/dev/null", "Not a directory; name a directory"),
        ("/" + "a" * 300, "File name too long; name another directory"),
        ("/tmp/a\0b", "null"),
    ],
)
def test_what_can_be_no_directory(directory: str, reason: str) -> None:
    assert reason in refusal(directory)


def test_on_a_network_file_system_each_host_has_a_folder_of_its_own(
    directory: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """K9."""
    monkeypatch.setattr(place, "network_file_system", lambda device: "nfs4")
    monkeypatch.setattr("socket.gethostname", lambda: "web/1")
    spool = make()
    fill(spool, 1)

    assert Path(spool.path) == directory / "host@web%2F1" / "shop%2Fcheckout" / "traces-collector"
    assert "network file system (nfs4)" in str(spool.warning)
    assert spool_in(directory).has_any()


def test_a_system_without_record_locks_keeps_nothing_on_disk(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """K9: Windows."""
    monkeypatch.setitem(sys.modules, "fcntl", None)

    assert "no fcntl" in refusal(directory)


def test_two_services_two_signals_and_two_exporters_are_apart(make: Make) -> None:
    spools = [make(), make(service="checkout"), make("logs"), make(exporter="other")]
    for spool in spools:
        fill(spool, 1)

    assert [len(found(spool)) for spool in spools] == [1, 1, 1, 1]


def test_opening_twice_changes_nothing(make: Make) -> None:
    spool = make()
    fill(spool, 1)
    assert spool.try_lease()

    spool.open()

    assert spool.is_leased
    assert spool.has_any()


@pytest.mark.parametrize("how", ["removed", "moved"])
def test_a_directory_that_vanishes_is_made_anew(directory: Path, make: Make, how: str) -> None:
    spool = make()
    fill(spool, 1)
    assert spool.try_lease()
    if how == "removed":
        shutil.rmtree(directory)
    else:
        directory.rename(directory.with_name("moved"))

    with pytest.raises(FileNotFoundError):
        fill(spool, 1)
    assert not spool.has_any()
    spool.open()

    assert not spool.is_leased
    fill(spool, 1)
    assert spool.has_any()
    assert spool.try_lease()


def test_a_folder_that_is_swapped_for_a_link_gets_nothing(make: Make, tmp_path: Path) -> None:
    spool = make()
    ours = Path(spool.path)
    ours.rename(ours.with_name("moved"))
    (tmp_path / "elsewhere").mkdir(0o700)
    ours.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(FileNotFoundError):
        fill(spool, 1)
    with pytest.raises(CannotUse):
        spool.open()

    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_what_is_not_open_says_so_and_does_nothing(directory: Path) -> None:
    spool = spool_in(directory)

    for method in (spool.try_lease, spool.needs_tidying, lambda: fill(spool, 1), lambda: spool.read("x")):
        with pytest.raises(FileNotFoundError):
            method()
    assert list(directory.iterdir()) == []


def test_a_listing_does_not_disturb_another(make: Make) -> None:
    """The place in a listing belongs to a descriptor, and a child shares those of its parent."""
    spool = make(limit=1 << 30)
    names = fill(spool, 800)  # more than the system tells at once

    assert spool.names(lambda: _look_at(spool)) == names


def test_no_descriptor_is_left_open(directory: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        spool = spool_in(directory)
        spool.open()
        fill(spool, 1)
        spool.has_any()
        shutil.rmtree(directory / "shop%2Fcheckout")
        spool.open()
        spool.try_lease()
        spool.close()
        spool.close()
        spool_in(directory).has_any()
        beside = [spool_in(directory), spool_in(directory)]
        for one in beside:
            one.open()
        for one in beside:
            one.close()
        (directory / "shop%2Fcheckout").chmod(0o755)
        refusal(directory)
        (directory / "shop%2Fcheckout").chmod(0o700)

    assert len(os.listdir("/proc/self/fd")) == before


def _look_at(spool: Spool) -> None:
    assert spool.has_any()


def test_what_cannot_be_made_is_found_out_and_nothing_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def checked(directory: Path) -> str:
        with pytest.raises(CannotUse) as caught:
            Spool(str(directory), "shop", "traces", "one", limit=1 << 20, keep_newest=True).check()
        return str(caught.value)

    assert "No such file or directory" in checked(tmp_path / "missing" / "too")
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_, **__: False)
        assert "Permission denied" in checked(tmp_path / "new")
    with monkeypatch.context() as patch:
        patch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY))
        assert "Read-only file system" in checked(tmp_path / "new")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "fcntl", None)
        assert "no fcntl" in checked(tmp_path)
    assert list(tmp_path.iterdir()) == []
