"""What runs alone, and under which signals all run."""

from __future__ import annotations

import signal

import pytest


def pytest_configure() -> None:
    # A shell starts what it runs in the background with Ctrl-C ignored, and children inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/demo/test_run.py" in item.nodeid:
            item.add_marker(pytest.mark.alone)
