"""Fixtures of the tests of the spool: a directory, clocks to move, spools that are closed with their test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from breaker_exporter._spool.spool import Spool
from breaker_exporter._spool.stamp import Stamp

from ._clock import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Make(Protocol):
    """Makes an open spool in the test's directory."""

    def __call__(
        self,
        signal: str = "traces",
        exporter: str = "collector",
        *,
        service: str = "shop/checkout",
        limit: int = 1 << 20,
        keep_newest: bool = True,
        now: Callable[[], Stamp] = ...,
    ) -> Spool: ...


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    folder.mkdir(0o755)
    return folder


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(directory: Path) -> Iterator[Make]:
    made: list[Spool] = []

    def make(
        signal: str = "traces",
        exporter: str = "collector",
        *,
        service: str = "shop/checkout",
        limit: int = 1 << 20,
        keep_newest: bool = True,
        now: Callable[[], Stamp] = Stamp.now,
    ) -> Spool:
        spool = Spool(
            str(directory), service, signal, exporter, limit=limit, keep_newest=keep_newest, now=now
        )
        made.append(spool)
        spool.open()
        return spool

    yield make
    for spool in made:
        spool.close()


@pytest.fixture
def spool(make: Make) -> Spool:
    return make()
