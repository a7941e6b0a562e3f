"""`make extras`: it tries what the docs say to install, and ends with the right status."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.extras.plan import CASES
from tools.extras.processes import Ending, Failed, Processes

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("examples/*/README.md"))]


def documented() -> Iterator[tuple[frozenset[str], frozenset[str]]]:
    """The extras, and the packages beside them, of each line of the docs that installs this package.

    Others that a comment on the line names, ``# gRPC: [gunicorn,grpc]``, go with the same packages.
    """
    for page in PAGES:
        for line in page.read_text().splitlines():
            if "pip install" in line and "breaker-exporter[" in line:
                command = re.sub(r'"?breaker-exporter\[[a-z,]+\]"?', "", line.partition("pip install")[2])
                more = frozenset(re.findall(r"[a-z][a-z-]+", command.partition("#")[0]))
                for extras in re.findall(r"\[([a-z,]+)\]", line):
                    yield frozenset(extras.split(",")), more


def test_each_installation_that_the_docs_show_is_tried() -> None:
    def is_tried(extras: frozenset[str], more: frozenset[str]) -> bool:
        return any(extras == frozenset(case.extras.split(",")) and more <= set(case.more) for case in CASES)

    found = set(documented())

    assert [each for each in found if not is_tried(*each)] == []
    assert (frozenset({"gunicorn", "grpc"}), frozenset()) in found
    assert any("opentelemetry-distro" in more for _, more in found)


def test_each_extra_is_tried_alone() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["optional-dependencies"].keys() <= {case.extras for case in CASES if not case.more}


@pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="pip builds the wheel")
def test_an_interrupted_run_leaves_neither_process_nor_directory(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tools.extras", "--only", "gevent"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "building the wheel\n"
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=60)

    assert (run.returncode, said) == (130, "interrupted by SIGINT; no process is left\n")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_case_is_named() -> None:
    command = [sys.executable, "-m", "tools.extras", "--only", "nowhere"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)

    assert done.returncode == 2
    assert "[gunicorn,grpc]" in done.stderr


def test_a_failed_process_is_reported_with_its_output(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="status 3") as failed:
        Processes().run(["sh", "-c", "echo why; exit 3"], tmp_path)
    assert failed.value.log == "why\n"

    with Processes().running(["sh", "-c", "echo ready; echo why"], tmp_path) as process:
        assert process.wait_for("ready", 30.0)
        with pytest.raises(Failed, match="did not say"):
            process.wait_for("nothing of this", 30.0)


def test_processes_that_still_run_at_the_end_are_killed_with_their_children(tmp_path: Path) -> None:
    processes = Processes()
    os.mkfifo(tmp_path / "held")
    program = "exec 3>held; tail -f /dev/null & wait"  # both hold it open
    with (
        processes.running(["sh", "-c", program], tmp_path) as process,
        (tmp_path / "held").open("rb") as held,
    ):
        processes.end()
        assert process.end(30.0) == -signal.SIGKILL
        assert held.read() == b""  # nobody is left to write into it

    with pytest.raises(Ending):
        processes.run(["true"], tmp_path)
