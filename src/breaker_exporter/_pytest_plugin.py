"""pytest's plug-in: the fixture ``faulty_collector``.

Every pytest run loads it, so it imports only pytest, and lies outside ``testing``, which is loaded with the
first collector.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .testing import FaultyCollector


@pytest.fixture(scope="session")
def _faulty_collector_process() -> Iterator[FaultyCollector]:
    from .testing import FaultyCollector

    with FaultyCollector() as collector:
        yield collector


@pytest.fixture
def faulty_collector(_faulty_collector_process: FaultyCollector) -> FaultyCollector:
    """A running ``breaker_exporter.testing.FaultyCollector`` as new: no fault, nothing received, other ports.

    Its process is started once a session; each test gets other ports, so that what an earlier test left
    running cannot reach it.
    """
    _faulty_collector_process.start()  # a test may have closed it
    _faulty_collector_process.renew()
    return _faulty_collector_process
