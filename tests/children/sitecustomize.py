"""Loaded first by each Python that a test starts: lets gevent look up once what is installed.

While it patches, gevent asks 25 times for its plug-ins, and each time reads a file of every package in the
environment. That was half of what a patched process cost.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any


class _BeforeGevent:
    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        """Find nothing: the import goes on as it would have."""
        if name == "gevent.events":
            _look_up_once()


def _look_up_once() -> None:
    metadata: Any = importlib.import_module("importlib.metadata")
    metadata.entry_points = metadata.entry_points().select


sys.meta_path.insert(0, _BeforeGevent)
