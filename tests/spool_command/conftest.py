"""Fixtures: a directory, the collector of the environment, and no long pauses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from breaker_exporter._spool_command import patience

if TYPE_CHECKING:
    from pathlib import Path

    from breaker_exporter.testing import FaultyCollector


@pytest.fixture(autouse=True)
def _as_new(no_variables_from_outside: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_PAUSE", 0.01)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    folder = tmp_path / "kept"
    folder.mkdir(0o700)
    return folder


@pytest.fixture
def backend(collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch) -> FaultyCollector:
    """The collector that the environment names."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.http_base)
    return collector
