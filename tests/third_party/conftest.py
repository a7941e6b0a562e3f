"""A collector that others have made, in front of the tests' own receiver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.rotel import Collector, agent, rotel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from breaker_exporter.testing import FaultyCollector


@pytest.fixture
def third_party(collector: FaultyCollector, tmp_path: Path) -> Iterator[Collector]:
    """Rotel, which passes on to `collector` what it gets."""
    program = agent()
    if program is None:
        pytest.skip("rotel is not installed")
    with rotel(program, collector.http_base, tmp_path) as running:
        yield running
