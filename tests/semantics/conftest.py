"""Fixtures of all tests of the semantics: clocks to move, and a check that no ERROR is logged."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import pytest

from breaker_exporter.testing import ManualClock

from ._batches import Batches
from ._deadlines import moved_by_hand
from ._signal_handlers import handling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._signal_handlers import HandleWhen


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def deadlines() -> Iterator[ManualClock]:
    """The clock of call deadlines: a call overruns where the test moves it."""
    with moved_by_hand() as deadlines:
        yield deadlines


@pytest.fixture
def handle_when() -> Iterator[HandleWhen]:
    with handling() as handle_when:
        yield handle_when


@pytest.fixture(scope="session")
def batches(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Batches:
    folder = tmp_path_factory.getbasetemp()
    return Batches(request.session.items, folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@pytest.fixture(autouse=True)
def no_error_is_logged() -> Iterator[None]:
    """Sentry makes events of ERROR records, so no test may cause one."""
    errors = _Errors()
    logger = logging.getLogger("breaker_exporter")
    logger.addHandler(errors)
    yield
    logger.removeHandler(errors)
    assert errors.messages == []
