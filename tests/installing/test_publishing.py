"""What strangers see on an index page, and what a release needs."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
HOME = PROJECT["urls"]["Source"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def on_an_index_page() -> str:
    """Return README.md as hatch-fancy-pypi-readme puts it into the metadata."""
    text = (ROOT / "README.md").read_text()
    for each in PYPROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        replacement = each["replacement"].replace("$HFPR_VERSION", PROJECT["version"])
        text = re.sub(each["pattern"], replacement, text)
    return text


def test_links_and_pictures_of_the_readme_lead_to_the_release_of_the_same_version() -> None:
    page = on_an_index_page()
    release = f"v{PROJECT['version']}"

    links = re.findall(r"(!?)\[[^\]]*\]\(([^)\s]+)\)", page)
    assert ("", f"{HOME}/blob/{release}/docs/README.md") in links
    assert ("!", f"{HOME}/raw/{release}/benchmarks/plots/outage.png") in links
    wanted = {"!": f"{HOME}/raw/{release}/", "": f"{HOME}/blob/{release}/"}
    assert [link for kind, link in links if HOME in link and not link.startswith(wanted[kind])] == []
    assert [link for _, link in links if not link.startswith(("https://", "#"))] == []


def test_every_address_of_the_repository_is_the_same() -> None:
    assert [url for url in PROJECT["urls"].values() if not url.startswith(HOME)] == []
    assert f" <{HOME}>\n" in (ROOT / "docs" / "index.md").read_text()


def test_every_action_is_pinned_by_its_hash_and_says_its_version() -> None:
    used = [
        line.partition("uses: ")[2]
        for workflow in WORKFLOWS
        for line in workflow.read_text().splitlines()
        if "uses: " in line and "uses: ./" not in line
    ]

    assert used
    assert [each for each in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)] == []


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that may be released as v0.1.0 of owner/name."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "changes").mkdir()
    shutil.copy(ROOT / "tools" / "releasable", tmp_path / "tools")
    (tmp_path / "changes" / "README.md").touch()
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [0.1.0] - 2026-12-01\n")
    (tmp_path / "pyproject.toml").write_text(
        'version = "0.1.0"\n\n[project.urls]\nSource = "https://github.com/owner/name"\n'
    )
    return tmp_path


def asked(checkout: Path, tag: str = "v0.1.0") -> tuple[int, str]:
    done = subprocess.run(
        ["sh", str(checkout / "tools" / "releasable")],
        env={"GITHUB_REF_NAME": tag, "GITHUB_REPOSITORY": "owner/name", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def test_a_checkout_with_everything_in_its_place_may_be_released(checkout: Path) -> None:
    assert asked(checkout) == (0, "")


def test_what_is_missing_for_a_release_is_named(checkout: Path) -> None:
    (checkout / "changes" / "+retry.fixed.md").touch()
    (checkout / "CHANGELOG.md").write_text("## [Unreleased]\n")
    (checkout / "pyproject.toml").write_text('version = "0.2.0"\nSource = "https://github.example/a/b"\n')

    assert asked(checkout) == (
        1,
        "the tag is v0.1.0, the version in pyproject.toml 0.2.0\n"
        "CHANGELOG.md has no dated section [0.2.0]\n"
        "CHANGELOG.md still has a section [Unreleased]\n"
        "changes/+retry.fixed.md is not in CHANGELOG.md yet: make changelog\n"
        "[project.urls] in pyproject.toml does not lead to https://github.com/owner/name\n",
    )
