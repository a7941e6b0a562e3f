"""The pytest plug-in, loaded by every pytest run and so light: the fixture ``faulty_collector``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from . import FaultyCollector


@pytest.fixture(scope="session")
def _faulty_collector_process() -> Iterator[FaultyCollector]:
    from . import FaultyCollector

    with FaultyCollector() as collector:
        yield collector


@pytest.fixture
def faulty_collector(_faulty_collector_process: FaultyCollector) -> FaultyCollector:
    """A running ``breaker_exporter.testing.FaultyCollector`` as new: no fault, nothing received, fresh ports.

    Its process is started once a session; each test gets other ports, so that what an earlier one left
    running cannot reach it.
    """
    _faulty_collector_process.start()  # where a test has closed it
    _faulty_collector_process.renew()
    return _faulty_collector_process
