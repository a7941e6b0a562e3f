"""`make test-busy`: runs a command several times beside busy loops, which end with it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.semantics._waiting import until

BUSY = [sys.executable, str(Path(__file__).parents[2] / "tools" / "busy")]
APPEND = "import sys; open(sys.argv[1], 'a').write('run\\n'); sys.exit(int(sys.argv[2]))"


def _children(pid: int) -> list[Path]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [Path("/proc") / child for child in children]


def _runs(process: Path) -> bool:
    try:
        return ") Z " not in (process / "stat").read_text()
    except OSError:
        return False


@pytest.mark.parametrize(("status", "runs"), [(0, 2), (3, 1)])
def test_the_command_runs_the_given_number_of_times_until_one_fails(
    tmp_path: Path, status: int, runs: int
) -> None:
    ran = tmp_path / "ran"

    done = subprocess.run([*BUSY, "2", sys.executable, "-c", APPEND, str(ran), str(status)], check=False)

    assert done.returncode == status
    assert ran.read_text().count("run") == runs


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_busy_loops_end_with_the_command(how: signal.Signals) -> None:
    with subprocess.Popen([*BUSY, "1", "cat"], stdin=subprocess.PIPE) as busy:
        until(lambda: len(_children(busy.pid)) == 3)
        loops = _children(busy.pid)[:2]

        busy.send_signal(how)

        until(lambda: busy.poll() is not None)
        until(lambda: not any(_runs(loop) for loop in loops))
