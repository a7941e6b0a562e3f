"""What runs alone."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/demo/test_run.py" in item.nodeid:
            item.add_marker(pytest.mark.alone)
