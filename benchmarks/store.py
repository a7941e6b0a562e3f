"""The results, kept after every cell: an interrupted run loses nothing."""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .cores import cores

_PACKAGES = (
    *("opentelemetry-sdk", "gevent", "gunicorn", "grpcio", "requests", "pybreaker"),
    *("sentry-sdk", "logfire", "rotel", "redis"),
)
METHOD = 5
"""Number of the way of measuring: results of different ones must not stand side by side."""


class Store:
    """A file of results.

    Args:
        path: The file; made with the first result.
        command: The command that measures, for the report.
        resume: True to keep the results that the file has.

    Attributes:
        data: Its content: ``command``, ``date``, ``versions``, ``cores``, ``cells`` by key, ``skipped``,
            ``micro``, ``starts``.
    """

    def __init__(self, path: Path, command: str, *, resume: bool) -> None:
        self._path = path
        if resume and path.exists():
            self.data: dict[str, Any] = json.loads(path.read_text())
            if self.data.get("method", 1) != METHOD:
                sys.exit(f"{path} was measured in another way: measure anew, without --resume")
        else:
            self.data = {"method": METHOD, "cells": {}, "skipped": {}, "micro": {}}
        self.data.update(
            command=command,
            date=datetime.now(UTC).strftime("%Y-%m-%d"),
            versions={"python": platform.python_version(), **_versions()},
            cores=os.cpu_count(),
            pinned=cores() is not None,
        )

    def has(self, key: str) -> bool:
        """Return whether the cell of this key was measured."""
        return key in self.data["cells"]

    def add(self, figures: dict[str, Any]) -> None:
        """Keep the figures of a cell."""
        self.data["cells"][figures["key"]] = figures
        self.data["skipped"].pop(figures["key"], None)
        self.save()

    def skip(self, key: str, why: str) -> None:
        """Keep the reason why a cell was not measured."""
        self.data["skipped"][key] = why
        self.save()

    def save(self) -> None:
        """Write the file as a whole, so that an interruption leaves the old one."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(self.data, separators=(",", ":"), allow_nan=False) + "\n")
        new.replace(self._path)


def load(path: Path) -> dict[str, Any]:
    """Return the results that a file holds.

    Raises:
        SystemExit: There is none.
    """
    if not path.exists():
        sys.exit(f"no results at {path}: measure first")
    data: dict[str, Any] = json.loads(path.read_text())
    return data


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
