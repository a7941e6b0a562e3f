"""Loaded first by each Python that a test starts: makes imports cheaper, most of what such a process costs.

* While gevent patches, it asks 25 times for its plug-ins, and each time reads a file of every package in the
  environment: that was half of what a patched process cost. Here it looks once.
* pybreaker loads Tornado, and with that asyncio, wherever Tornado is installed. Here it finds none, unless a
  worker of Tornado's is running.
* Garbage is collected less often, until the engine of this package is there: imports leave hardly any.
"""

from __future__ import annotations

import gc
import importlib
import sys

_THRESHOLDS = gc.get_threshold()


class _BeforeImports:
    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        """Find nothing: the import goes on as it would have."""
        if name == "gevent.events":
            _look_up_once()
        elif name == "pybreaker":
            sys.modules.setdefault("tornado", None)  # type: ignore[arg-type]
        elif name == "breaker_exporter._results":  # which the engine loads last
            gc.set_threshold(*_THRESHOLDS)
            if sys.modules.get("tornado", sys) is None:
                del sys.modules["tornado"]


def _look_up_once() -> None:
    metadata = importlib.import_module("importlib.metadata")
    metadata.entry_points = metadata.entry_points().select  # type: ignore[attr-defined]


gc.set_threshold(50_000)
sys.meta_path.insert(0, _BeforeImports)
