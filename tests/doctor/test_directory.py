"""The directory of retention: who may use it, what it lies on, its room, and what nobody will deliver."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from breaker_exporter import Retention
from breaker_exporter._doctor import memory
from breaker_exporter._doctor.disk import directory as looked_at
from breaker_exporter._doctor.disk import room
from breaker_exporter._doctor.disk.mount import Mount, mount_of
from breaker_exporter._spool import place
from breaker_exporter._spool.names import DAMAGED

from ..semantics._children import in_child
from ..semantics.test_cgroup import MIB, tree
from ..spool._files import ANOTHER_USER, put
from ..spool_command._kept import keep
from ._findings import bad, diagnosed, in_force, taken
from .test_conf import GEVENT, MAKE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from breaker_exporter._doctor.report import Finding

SHOP = "shop/checkout"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    folder = tmp_path / "kept"
    folder.mkdir(0o700)
    return folder


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """The root of a host's files: its mounts and control groups."""
    return tree(tmp_path, "0::/\n", {"memory.max": str(512 * MIB)})


def mounted(host: Path, point: Path, kind: str, root: str = "/") -> Path:
    """Let the host have a mount there."""
    found = point.stat()
    device = f"{os.major(found.st_dev)}:{os.minor(found.st_dev)}"
    lines = ["20 1 1:1 / / rw - ext4 /dev/vda rw", f"21 20 {device} {root} {point} rw - {kind} source rw"]
    (host / "proc/self/mountinfo").write_text("".join(f"{line}\n" for line in lines))
    return host


def found_in(
    path: Path, host: Path = Path("/"), *, workers: int = 0, disk: int = MIB, is_fatal: bool = False
) -> list[Finding]:
    retention = Retention(directory=path, disk=disk)
    return taken(looked_at.examine(workers, retention, SHOP, is_fatal=is_fatal, root=host))


def only(findings: list[Finding], check: str) -> Finding:
    (finding,) = [finding for finding in findings if finding.check == check]
    return finding


def everything_in(path: Path) -> list[tuple[str, int, int]]:
    paths = [path, *sorted(path.rglob("*"))]
    return [(str(each), each.stat().st_mode, each.stat().st_mtime_ns) for each in paths]


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


def test_without_a_directory_there_is_nothing_to_say() -> None:
    assert taken(looked_at.examine(2, Retention(), SHOP, is_fatal=True)) == []


def test_a_directory_that_can_be_used_is_told(directory: Path, host: Path) -> None:
    keep(directory)
    keep(directory, service="cart")
    before = everything_in(directory)

    findings = found_in(directory, mounted(host, directory, "xfs"), workers=3)

    assert bad(findings) == []
    assert only(findings, "retain-directory").text == (
        f"{str(directory)!r} can be used by user id {os.geteuid()}, which the workers must be too"
    )
    assert only(findings, "retain-volume").text == f"{str(directory)!r} is on a file system of its host (xfs)"
    text = only(findings, "retain-room").text
    assert text.startswith("all 3 workers of the service together keep up to 1 MiB on disk, 0.012 MiB now; ")
    assert everything_in(directory) == before


def test_one_that_is_not_there_yet_is_not_made(tmp_path: Path, host: Path) -> None:
    path = tmp_path / "later"

    findings = found_in(path, mounted(host, tmp_path, "ext4"))

    assert bad(findings) == []
    assert "is not there yet: the first worker" in only(findings, "retain-directory").text
    assert only(findings, "retain-room").text.startswith("all processes of the service together")
    assert not path.exists()


@pytest.mark.parametrize(("is_fatal", "level"), [(False, "warning"), (True, "broken")])
def test_one_that_cannot_be_made_is_told(tmp_path: Path, is_fatal: bool, level: str) -> None:
    findings = found_in(tmp_path / "missing" / "kept", is_fatal=is_fatal)

    assert bad(findings) == [f"{level} retain-directory"]
    assert f"'{tmp_path}/missing': No such file or directory" in findings[0].text
    assert findings[0].advice.startswith(f"make it for user id {os.geteuid()}, or name another in BREAKER_")


@pytest.mark.parametrize(("is_fatal", "level"), [(False, "warning"), (True, "broken")])
def test_a_file_is_no_directory(tmp_path: Path, is_fatal: bool, level: str) -> None:
    (tmp_path / "file").write_text("")

    findings = found_in(tmp_path / "file", is_fatal=is_fatal)

    assert bad(findings) == [f"{level} retain-directory"]
    assert "file' is no directory" in findings[0].text


def test_anybody_may_write_there(directory: Path) -> None:
    directory.chmod(0o777)
    assert "anybody may write to" in only(found_in(directory), "retain-directory").text

    directory.chmod(0o1777)
    assert bad(found_in(directory)) == []


def test_a_folder_in_an_empty_dir_can_be_made(directory: Path) -> None:
    """The kubelet makes an emptyDir with mode 0777, and with an fsGroup 2777."""
    directory.chmod(0o2777)

    assert bad(found_in(directory / "kept")) == []
    assert "name a folder in it" in only(found_in(directory), "retain-directory").advice


def test_this_user_may_not_write_there() -> None:
    path = Path(tempfile.mkdtemp())
    path.chmod(0o555)

    def check() -> None:
        with without_rights():
            finding = only(found_in(path), "retain-directory")
            assert f"user id {os.geteuid()} may not write to" in finding.text
            assert f"(of user id {os.stat(path).st_uid}, group id" in finding.text
            assert "chown it to the user of the workers" in finding.advice

    in_child(check)
    shutil.rmtree(path)


def test_the_folder_of_the_service_cannot_be_looked_at() -> None:
    path = Path(tempfile.mkdtemp())
    path.chmod(0o666)

    def check() -> None:
        with without_rights():
            problem = looked_at._problem_of_service(str(path / "shop"))
            assert problem is not None
            assert problem[0] == f"'{path}/shop': Permission denied"

    in_child(check)
    path.chmod(0o700)
    shutil.rmtree(path)


@pytest.mark.parametrize(("is_fatal", "level"), [(False, "warning"), (True, "broken")])
def test_the_folder_of_the_service_is_a_link(
    directory: Path, tmp_path: Path, is_fatal: bool, level: str
) -> None:
    (directory / "shop%2Fcheckout").symlink_to(tmp_path)

    findings = found_in(directory, is_fatal=is_fatal)

    assert bad(findings) == [f"{level} retain-directory"]
    assert "is a link or no folder" in findings[0].text


def test_others_may_enter_the_folder_of_the_service(directory: Path) -> None:
    Path(keep(directory).path).parent.chmod(0o705)

    assert "others may enter" in only(found_in(directory), "retain-directory").text


def test_the_folder_of_the_service_is_another_users(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(keep(directory).path).parent
    if os.geteuid() == 0:
        os.chown(folder, ANOTHER_USER, ANOTHER_USER)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: ANOTHER_USER)

    finding = only(found_in(directory), "retain-directory")

    assert f"belongs to user id {folder.stat().st_uid}, and the doctor runs as {os.geteuid()}" in finding.text


def test_a_network_file_system(directory: Path, host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as there:
        there.setattr(place, "network_file_system", lambda device: "nfs4")
        keep(directory)

    findings = found_in(directory, mounted(host, directory, "nfs4"))

    assert bad(findings) == ["warning retain-network"]
    assert "is on a network file system (nfs4)" in only(findings, "retain-network").text
    assert "0.012 MiB now" in only(findings, "retain-room").text


def test_memory_is_no_disk(directory: Path, host: Path) -> None:
    findings = found_in(directory, mounted(host, directory, "tmpfs"), disk=64 * MIB)

    assert bad(findings) == ["warning retain-memory"]
    text = only(findings, "retain-memory").text
    assert "is memory (tmpfs): up to 64 MiB count as that of the container, which may use 512 MiB" in text
    (host / "sys/fs/cgroup/memory.max").write_text("max")
    text = only(found_in(directory, host, disk=64 * MIB), "retain-memory").text
    assert "as that of the container, and go with it" in text


def test_the_containers_own_file_system(directory: Path, host: Path) -> None:
    findings = found_in(directory, mounted(host, directory, "overlay"))

    assert bad(findings) == ["warning retain-container"]
    assert "is in the container's own file system (overlay)" in only(findings, "retain-container").text


def test_an_empty_dir_of_kubernetes(directory: Path, host: Path) -> None:
    root = "/var/lib/kubelet/pods/5d1f/volumes/kubernetes.io~empty-dir/telemetry"

    findings = found_in(directory, mounted(host, directory, "ext4", root), disk=64 * MIB)

    assert bad(findings) == []
    text = only(findings, "retain-volume").text
    assert "is an emptyDir" in text
    assert "a sizeLimit must be above 64 MiB" in text


def test_another_volume_of_kubernetes(directory: Path, host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")

    findings = found_in(directory, mounted(host, directory, "ext4"))

    assert bad(findings) == []
    assert "whether that outlives the pod cannot be seen" in only(findings, "retain-volume").text


def test_a_system_that_tells_no_mounts(directory: Path, host: Path) -> None:
    findings = found_in(directory, host)

    assert bad(findings) == []
    assert [finding.check for finding in findings] == ["retain-directory", "retain-room"]


def test_the_nearest_mount_counts_and_of_two_the_later(directory: Path, tmp_path: Path) -> None:
    inside = directory / "with blank"
    inside.mkdir()
    mounts = tmp_path / "mountinfo"
    blank = str(inside).replace(" ", "\\040")
    mounts.write_text(
        f"1 0 1:1 / / rw - ext4 a rw\n2 1 1:2 / {blank} rw shared:1 - xfs b rw\n"
        f"3 1 1:3 /c {blank} rw - ext3 c rw\n"
        f"4 1 1:4 / {directory} rw - tmpfs d rw\n5 1 1:5 / {directory}/with rw - tmpfs e rw\ngarbage\n"
    )

    assert mount_of(str(inside), mounts) == Mount("ext3", "/c", str(inside))
    assert mount_of(str(tmp_path), mounts) == Mount("ext4", "/", "/")


def test_little_room(directory: Path, host: Path) -> None:
    keep(directory)

    finding = only(found_in(directory, host, disk=1 << 60), "retain-room")

    assert bad([finding]) == ["warning retain-room"]
    assert "there is room for" in finding.text
    lower = int(finding.advice.removeprefix("make room, or lower BREAKER_EXPORTER_RETAIN_DISK to "))
    assert bad([only(found_in(directory, host, disk=lower // 2), "retain-room")]) == []


def test_no_room(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = [4096, 4096, 1_000, 10, 10, 0, 0, 0, 0, 255]
    monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result(fields))

    (finding,) = taken(room.examine(str(directory), 0, 2, Retention(directory=directory)))

    assert bad([finding]) == ["warning retain-room"]
    assert "40960 bytes are free on its file system, of which 204800 stay free" in finding.text


def test_what_a_service_that_is_gone_has_left(directory: Path, host: Path) -> None:
    keep(directory, age=3 * 86_400)  # the own one's: it is delivered
    keep(directory, age=3_600, service="young")
    keep(directory, 1, age=3 * 86_400, service="gone's")

    findings = found_in(directory, host)

    assert bad(findings) == ["warning retain-orphans"]
    finding = only(findings, "retain-orphans")
    assert finding.text == (
        f"""4 spans of "gone's" lie in {str(directory)!r}, the oldest for 3 days: """
        "no worker of that service delivers them"
    )
    command = f"python -m breaker_exporter spool {directory} --service 'gone'\"'\"'s'"
    assert finding.advice == f"deliver them: {command} --send; or delete them: {command} --delete"


def test_newer_and_damaged_files(directory: Path, host: Path) -> None:
    spool = keep(directory)
    put(spool, b"BRKSPOOL\0\2of a newer version")
    put(spool, b"damaged", suffix=DAMAGED)

    findings = found_in(directory, host)

    assert bad(findings) == ["warning retain-newer", "warning retain-damaged"]
    assert f"has written 1 file in {spool.path!r}, which" in only(findings, "retain-newer").text
    assert only(findings, "retain-damaged").text.endswith(f"never sent: 1 file in {spool.path!r}")


def test_what_others_do_not_let_be_seen_is_left_out() -> None:
    path = Path(tempfile.mkdtemp())
    path.chmod(0o1777)
    keep(path)

    def check() -> None:
        with without_rights():
            assert bad(found_in(path, path)) == []

    (path / "shop%2Fcheckout").rename(path / "other")
    in_child(check)
    shutil.rmtree(path)


def test_the_doctor_finds_it_by_the_variable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    monkeypatch.setenv("BREAKER_EXPORTER_RETAIN_DIRECTORY", str(tmp_path / "file"))
    monkeypatch.setenv("BREAKER_EXPORTER_RETAIN_DISK", "1048576")

    found = diagnosed(capsys)

    assert "warning retain-directory" in found.bad
    settings = found.settings()
    assert settings["retention_directory"] == (str(tmp_path / "file"), "BREAKER_EXPORTER_RETAIN_DIRECTORY")
    assert settings["retention_disk"] == (1_048_576, "BREAKER_EXPORTER_RETAIN_DISK")


def test_the_doctor_finds_one_that_is_given_in_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=shop")
    keep(tmp_path, age=3 * 86_400)
    Path("gunicorn.conf.py").write_text(
        GEVENT
        + MAKE
        + "import pathlib\n"
        + "from breaker_exporter import Retention\n"
        + f"retention = Retention(directory=pathlib.Path({str(tmp_path)!r}), disk=2097152)\n"
        + "telemetry = Telemetry(service_name='checkout', retention=retention)\n"
        + "post_fork, post_worker_init, worker_exit = hooks(telemetry)\n"
    )

    found = diagnosed(capsys)

    settings = found.settings()
    assert settings["retention_directory"] == (str(tmp_path), "code")
    assert settings["retention_disk"] == (2_097_152, "code")
    assert "keep up to 2 MiB on disk, 0.012 MiB now" in found.text
    assert "warning retain-orphans" not in found.bad  # it is the service's own


def test_the_service_is_named_with_its_namespace() -> None:
    variables = {"OTEL_RESOURCE_ATTRIBUTES": "service.namespace=shop,service.name=checkout"}

    assert in_force(variables)[1].service == SHOP
    assert in_force({"OTEL_SERVICE_NAME": "cart"})[1].service == "cart"


def test_some_memory_is_used_with_a_directory_alone(tmp_path: Path, directory: Path) -> None:
    kept = Retention(memory=0, directory=directory)

    (finding,) = taken(memory.examine(2, kept, tree(tmp_path, "0::/\n", {"memory.max": str(512 * MIB)})))

    assert finding.text.startswith("each process keeps up to 1 MiB in an outage, 2 workers 2 MiB; ")


def test_json_has_the_findings(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, directory: Path
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    monkeypatch.setenv("BREAKER_EXPORTER_RETAIN_DIRECTORY", str(directory))

    checks = {finding["check"] for finding in diagnosed(capsys).report["findings"]}

    assert {"retain-directory", "retain-room"} <= checks
