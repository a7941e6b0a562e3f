"""Exporters that are shut down in the end; silence for the official encoder, which logs what it drops."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from breaker_exporter.otlp import CooperativeOTLPSpanExporter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._server import Make


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes exporters that are shut down at the end."""
    made: list[CooperativeOTLPSpanExporter] = []

    def make(*args: Any, **kwargs: Any) -> CooperativeOTLPSpanExporter:
        made.append(CooperativeOTLPSpanExporter(*args, **kwargs))
        return made[-1]

    yield make
    for exporter in made:
        exporter.shutdown()


@pytest.fixture(autouse=True, scope="module")
def quiet_official() -> Iterator[None]:
    logger = logging.getLogger("opentelemetry")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    yield
    logger.setLevel(before)
