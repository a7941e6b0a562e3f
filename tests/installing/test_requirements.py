"""The requirements in pyproject.toml are those that the source imports."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "breaker_exporter"
OURS = "breaker-exporter"
NOT_NEEDED = {"pytest", "certifi", "opentelemetry-instrumentation-logging"}
"""The pytest plug-in is loaded by pytest alone; the doctor does without certifi where it is not there.
Without the last one, a WARNING names it to those who export log records."""


def declared() -> set[str]:
    """The distributions that the package and its extras name themselves."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    requirements = [*project["dependencies"], *(each for extra in extras for each in extra)]
    return {re.split(r"[\[<>=~!; ]", requirement)[0] for requirement in requirements} - {OURS}


def imported() -> set[str]:
    """Return every module that the source imports, also inside functions."""
    found: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found.update(name.name for name in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                assert node.module is not None
                found.add(node.module)
                found.update(f"{node.module}.{name.name}" for name in node.names)
    return found


def owners() -> Iterator[tuple[str, str]]:
    """Each installed module and the distribution that brings it; of namespace packages the parts alone."""
    for each in distributions():
        name = re.sub(r"[-_.]+", "-", each.name).lower()
        for file in each.files or ():
            if file.suffix in (".py", ".so"):
                parts = (*file.parts[:-1], file.name.partition(".")[0])
                yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), name


def test_each_import_of_the_source_is_a_declared_requirement() -> None:
    brought = dict(owners())
    needed = {brought[module] for module in imported() if module in brought}

    assert needed - declared() - NOT_NEEDED - {OURS} == set()
    assert {"opentelemetry-sdk", "gevent", "gunicorn", "requests", "sentry-sdk", "grpcio"} <= needed


def test_the_oldest_versions_cover_each_requirement_and_each_extra() -> None:
    printed = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "oldest")], check=True, capture_output=True, text=True
    ).stdout.split()

    assert {pin.partition("==")[0] for pin in printed} == declared()
    assert "gunicorn==23.0" in printed
    assert len(printed) == len(declared())
