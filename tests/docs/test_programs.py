"""README is short; every Python block of README and docs is a program that passes mypy --strict."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ._pages import LANGUAGES, PAGES, ROOT, blocks, name_of, programs

CONFIG = """
[mypy]
strict = true
warn_unreachable = true
warn_unused_configs = false
untyped_calls_exclude = opentelemetry.instrumentation

[mypy-celery.*,django.*,fastapi.*,uwsgi.*,uwsgidecorators.*,opentelemetry.exporter.prometheus.*,prometheus_client.*]
ignore_missing_imports = true
"""
UNTYPED = "# mypy: disallow-untyped-decorators=False\n"
"""For programs with decorators of Celery, which is not installed with the tests."""


def test_readme_is_one_screen() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 125


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_code_block_names_its_language(page: Path) -> None:
    assert [str(block) for block in blocks(page) if block.language not in LANGUAGES] == []


def test_each_program_passes_mypy_strict(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="comes with the dependency group lint")
    places = {}
    for page in PAGES:
        for number, (where, source) in enumerate(programs(page)):
            name = f"{re.sub('[^a-z]', '_', name_of(page).lower())}_{number}.py"
            places[name] = where
            (tmp_path / name).write_text(source + UNTYPED * ("from celery" in source))
    assert places
    (tmp_path / "mypy.ini").write_text(CONFIG)

    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--no-error-summary"]
    command += ["--cache-dir", str(ROOT / ".mypy_cache" / "docs"), *places]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    said = re.sub(r"^\w+\.py", lambda match: places[match[0]], done.stdout, flags=re.MULTILINE)
    assert (done.returncode, said + done.stderr) == (0, "")
