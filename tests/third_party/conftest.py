"""A collector that others have made, in front of the tests' own receiver."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ._rotel import Collector, rotel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from breaker_exporter.testing import FaultyCollector


@pytest.fixture
def third_party(collector: FaultyCollector, tmp_path: Path) -> Iterator[Collector]:
    """Rotel, which passes on to `collector` what it gets."""
    # There are wheels of it for some Pythons only.
    package = find_spec("rotel")
    if package is None or package.origin is None:
        pytest.skip("rotel is not installed")
    with rotel(Path(package.origin).with_name("rotel-agent"), collector.http_base, tmp_path) as running:
        yield running
