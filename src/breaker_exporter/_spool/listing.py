"""What lies in a directory, of all services: for the doctor and the command line, which change nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .files import beginning, named, size_of
from .names import BATCH, DAMAGED, text_of
from .place import HOST
from .record import HEADER, Damaged, Header, Newer


@dataclass(frozen=True, slots=True)
class Found:
    """The batches of one exporter.

    Attributes:
        path: The spool's folder.
        host: Name of the host whose they are, on a network file system; else ``None``.
        service: ``namespace/name`` of the service, or its name.
        signal: Name of the signal.
        exporter: Name of the exporter.
        items: Number of items that can be sent, by the files' headers.
        bytes: Bytes of all files of ours, as the bound counts them: in whole blocks.
        oldest: Unix seconds of the oldest batch, or ``None`` where there is none.
        newest: Unix seconds of the newest one, or ``None``.
        batches: Number of batches that can be sent.
        set_aside: Number of damaged files, whether they are set aside already or not.
        newer: Number of batches of newer versions of this package.
    """

    path: str
    host: str | None
    service: str
    signal: str
    exporter: str
    items: int
    bytes: int
    oldest: float | None
    newest: float | None
    batches: int
    set_aside: int
    newer: int


def services(directory: str, failed: Callable[[OSError], object] | None = None) -> Iterator[Found]:
    """List what lies in the user's directory. Whoever asks may be another user than the services, as root is.

    Args:
        directory: The user's.
        failed: Called with what keeps a folder or a file from being read, which is then left out.

    Raises:
        OSError: The directory cannot be read; without `failed`, a folder or a file in it.
    """
    skip = _raise if failed is None else failed
    for host, folder in _hosts(directory):
        for service in _folders(folder, skip):
            for spool in _folders(service, skip):
                if "-" in os.path.basename(spool):
                    try:
                        found = _found(spool, host, os.path.basename(service), skip)
                    except OSError as error:
                        skip(error)
                    else:
                        yield found


def _hosts(directory: str) -> Iterator[tuple[str | None, str]]:
    with os.scandir(directory) as entries:
        hosts = sorted(entry.name for entry in entries if entry.name.startswith(HOST) and _is_folder(entry))
    yield None, directory
    for name in hosts:
        yield text_of(name.removeprefix(HOST)), os.path.join(directory, name)


def _folders(path: str, failed: Callable[[OSError], object]) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(
                entry.path
                for entry in entries
                if _is_folder(entry)
                and not entry.name.startswith(HOST)
                and entry.name != "lost+found"  # of each ext4 volume, and root's alone
            )
    except OSError as error:
        failed(error)
        return []


def _found(path: str, host: str | None, service: str, failed: Callable[[OSError], object]) -> Found:
    signal, _, exporter = os.path.basename(path).partition("-")
    headers: list[Header] = []
    size = damaged = newer = 0
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        for text, name in named(folder):
            size += size_of(text, folder)
            try:
                if name.suffix == BATCH:
                    headers.append(_header(text, folder))
                damaged += name.suffix == DAMAGED
            except FileNotFoundError:
                pass  # sent meanwhile
            except Damaged:
                damaged += 1
            except Newer:
                newer += 1
            except OSError as error:
                failed(OSError(error.errno, error.strerror, os.path.join(path, text)))
    finally:
        os.close(folder)
    moments = [header.written.unix / 1e9 for header in headers]
    return Found(
        path=path,
        host=host,
        service=text_of(service),
        signal=text_of(signal),
        exporter=text_of(exporter),
        items=sum(header.items for header in headers),
        bytes=size,
        oldest=min(moments, default=None),
        newest=max(moments, default=None),
        batches=len(headers),
        set_aside=damaged,
        newer=newer,
    )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)


def _raise(error: OSError) -> None:
    raise error


def _header(name: str, folder: int) -> Header:
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        return Header.parsed(beginning(file, HEADER), os.fstat(file).st_size)
    finally:
        os.close(file)
