"""The sides of a comparison: a contender, at a commit or as it is here, installed and then measured."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks import installed as module
from benchmarks.compare import Side, side
from benchmarks.installed import CannotInstall, installed


def test_a_side_is_a_contender_and_may_name_a_commit() -> None:
    assert side("hooks") == Side("hooks", None)
    with pytest.raises(ValueError, match="contender must be of api-only, none"):
        side("nobody")
    with pytest.raises(ValueError, match="commit must be one that git knows, not 'no-such'"):
        side("hooks@no-such")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of one commit, with a file that has changed since."""
    monkeypatch.setattr(module, "_ROOT", tmp_path)
    monkeypatch.setattr(module, "_ENVIRONMENTS", tmp_path / ".venv-compare")
    (tmp_path / "file").write_text("old")
    for arguments in (
        ("init", "--quiet"),
        ("add", "file"),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message", "first"),
    ):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True)
    (tmp_path / "file").write_text("new")
    return tmp_path


def test_a_commit_is_checked_out_for_as_long_as_it_is_used(repository: Path) -> None:
    commit = subprocess.run(
        ["git", "-C", str(repository), "rev-parse", "--short=12", "HEAD"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    environment = repository / ".venv-compare" / commit
    environment.mkdir(parents=True)
    (environment / "ready").touch()

    with installed("HEAD") as it:
        assert (it.root / "file").read_text() == "old"
        assert it.python == environment / "bin" / "python"

    assert not it.root.exists()


def test_a_side_that_cannot_be_installed_is_reported_with_the_output_of_git_or_pip(repository: Path) -> None:
    with pytest.raises(CannotInstall, match="status 128\\nfatal"), installed("no-such"):
        pass
