"""The package as it is here or at another commit, installed: its wheel in a virtual environment of its own.

Both sides of a comparison are installed in the same way, with the dependencies' versions of this environment.
So they differ in the package alone, and each has its own entry points.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_ENVIRONMENTS = _ROOT / ".venv-compare"
_HERE = "working-tree"
_PIP = ("-m", "pip", "--disable-pip-version-check", "install", "--quiet")


class CannotInstall(RuntimeError):
    """The package could not be installed; the text says why."""


@dataclass(frozen=True, slots=True)
class Installed:
    """One side, ready to run.

    Attributes:
        python: The interpreter of its environment.
        root: The folder with its ``benchmarks``, which configure the service.
    """

    python: Path
    root: Path


def exists(commit: str) -> bool:
    """Return whether git knows a commit."""
    return not subprocess.run(_git("cat-file", "-e", f"{commit}^{{commit}}"), check=False).returncode


@contextlib.contextmanager
def installed(commit: str | None) -> Iterator[Installed]:
    """Install a commit, or the files as they are here where it is ``None``.

    The environment of a commit is kept in ``.venv-compare`` and used again.

    Raises:
        CannotInstall: pip or git failed.
    """
    if commit is None:
        yield Installed(_environment(_HERE, _ROOT), _ROOT)
        return
    name = _run(_git("rev-parse", "--short=12", f"{commit}^{{commit}}")).strip()
    with tempfile.TemporaryDirectory(prefix="breaker-exporter-compare-") as directory:
        root = Path(directory) / "checkout"
        _run(_git("worktree", "add", "--quiet", "--detach", str(root), commit))
        try:
            yield Installed(_environment(name, root), root)
        finally:
            _run(_git("worktree", "remove", "--force", str(root)))


def _environment(name: str, source: Path) -> Path:
    """Return the interpreter of an environment with the wheel of `source`; make what is missing."""
    folder = _ENVIRONMENTS / name
    python, ready = folder / "bin" / "python", folder / "ready"
    if not ready.exists():
        print(f"setting up {folder.relative_to(_ROOT)}", file=sys.stderr, flush=True)
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        constraints = folder / "constraints.txt"
        constraints.write_text(_versions())
        _run([str(python), *_PIP, "--constraint", str(constraints), f"{source}[all]"])
        ready.touch()
    elif name == _HERE:
        _run([str(python), *_PIP, "--force-reinstall", "--no-deps", str(source)])
    return python


def _versions() -> str:
    """Return the versions of this environment's packages, as constraints for pip; not that of the package."""
    frozen = _run([sys.executable, "-m", "pip", "freeze"])
    return "\n".join(line for line in frozen.splitlines() if "==" in line) + "\n"


def _run(command: list[str]) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise CannotInstall(f"{' '.join(command)}: status {done.returncode}\n{done.stderr}")
    return done.stdout


def _git(*arguments: str) -> list[str]:
    return ["git", "-C", str(_ROOT), *arguments]
