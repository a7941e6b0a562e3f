"""The commands that README and docs show exist, with their options."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ._pages import PAGES, ROOT, blocks

TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def lines() -> Iterator[tuple[str, str]]:
    """Each line of a shell block, without its comment, and where it is."""
    for page in PAGES:
        for block in blocks(page):
            if block.language == "sh":
                for line in block.text.splitlines():
                    yield str(block), line.partition(" #")[0].strip()


def of_ours() -> list[str]:
    return sorted({line for _, line in lines() if line.startswith("python -m breaker_exporter")})


def test_each_make_target_exists() -> None:
    asked = {(where, line.split()[1]) for where, line in lines() if line.startswith("make ")}

    assert asked
    assert [each for each in asked if each[1] not in TARGETS] == []


@pytest.mark.parametrize("line", of_ours())
def test_each_command_of_this_package_exists_with_its_options(line: str) -> None:
    words = line.split()[1:]
    options = [word for word in words if word.startswith("--")]
    command = words[: next((at for at, word in enumerate(words) if word.startswith("--")), len(words))]

    done = subprocess.run(
        [sys.executable, *command, "--help"], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 0, done.stderr
    assert [option for option in options if option not in done.stdout] == []


def test_the_main_commands_are_shown() -> None:
    shown = {line for _, line in lines()}

    assert {"make demo", "make test", "python -m breaker_exporter demo"} <= shown
    assert {"python -m breaker_exporter doctor", "python -m breaker_exporter.testing"} <= shown
