"""Runs scenarios one after the other in one patched process; the first failure ends it."""

from __future__ import annotations

import importlib
import json
import logging
import sys
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def run(module: str, names: Sequence[str]) -> None:
    """Run the functions ``names`` of ``module``, and print a line of JSON about each that has ended."""
    scenarios = importlib.import_module(module)
    for name in names:
        failure = ""
        try:
            getattr(scenarios, name)()
        except BaseException:  # SystemExit and the like are failures here as well
            failure = traceback.format_exc()
        sys.stdout.write(json.dumps([name, failure]) + "\n")
        sys.stdout.flush()
        if failure:
            return
        _forget_logging()


def _forget_logging() -> None:
    """Leave no handler, level or filter behind for the next scenario."""
    for logger in (logging.getLogger(), logging.getLogger("foreign"), logging.getLogger("breaker_exporter")):
        for handler in logger.handlers[:]:
            logger.removeHandler(handler)
        logger.propagate = True
        logger.setLevel(logging.WARNING if logger is logging.getLogger() else logging.NOTSET)
