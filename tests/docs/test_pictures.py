"""Three pages as Chromium draws them, on a wide screen in light and on a narrow one in dark.

No picture is compared with one of before: fonts differ between machines. What is checked holds with
any of them.
"""

from __future__ import annotations

import os
import runpy
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ._pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

WIDE, NARROW = 1280, 390
PAGES = ("index", "tutorial/first-outage", "reference/settings")
LOOK: dict[str, Any] = runpy.run_path(os.fspath(ROOT / "tools" / "look"))

Picture = Any
"""An array of numpy's: luminance by row and column, 0 to 1, linear as WCAG has it."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sphinx = ROOT / ".venv-docs" / "bin" / "sphinx-build"
    if not LOOK["chromium"]():
        pytest.skip("no Chromium is installed")
    if not sphinx.exists():
        pytest.skip("`make docs` has not set up Sphinx")
    html = tmp_path_factory.mktemp("site")
    subprocess.run([sphinx, "--builder", "html", "--quiet", ROOT / "docs", html], check=True)
    return html


@pytest.fixture(params=[WIDE, NARROW])
def width(request: pytest.FixtureRequest) -> int:
    value: int = request.param
    return value


@pytest.fixture
def taken(site: Path, width: int, tmp_path: Path) -> Callable[[str], Picture]:
    image = pytest.importorskip("matplotlib.image", reason="matplotlib reads the pictures")

    def take(page: str) -> Picture:
        file = tmp_path / "picture.png"
        LOOK["take_picture"](site / f"{page}.html", width, "light" if width == WIDE else "dark", file)
        colours = image.imread(file)[:, :, :3]
        linear = ((colours + 0.055) / 1.055) ** 2.4
        return linear @ (0.2126, 0.7152, 0.0722)

    return take


@pytest.mark.parametrize("page", PAGES)
def test_a_page_fits_its_screen_and_can_be_read(
    taken: Callable[[str], Picture], page: str, width: int
) -> None:
    numpy = pytest.importorskip("numpy")
    picture = taken(page)

    height = LOOK["HEIGHT"]
    assert picture.shape == (height, width)
    article = picture[64:, 16:-16] if width == NARROW else picture[:, 380 : width - 100]
    paper = most_common(article)
    assert paper > 0.8 if width == WIDE else paper < 0.05
    ink = abs(article - paper) > 0.1

    # Each fifth has something on it, and is no black box either; it differs enough from what it lies on.
    shares = [float(ink[top : top + height // 5].mean()) for top in range(0, len(ink), height // 5)]
    assert [share for share in shares if not 0.005 < share < 0.6] == []
    assert contrast(numpy.percentile(article[ink], 10 if width == WIDE else 90), paper) >= 7

    # The title is near the top, in letters much higher than those of text.
    assert max(runs(ink[:300, :300].any(axis=1))) >= 20

    if width == NARROW:  # nothing reaches the edge, but what spans the whole width, as the bar on top
        edge = picture[:, -8:]
        assert float((edge.max(axis=1) - edge.min(axis=1)).max()) < 0.02
    else:  # where one is on the site stands beside it
        navigation = picture[:, 100:320]
        assert float((abs(navigation - most_common(navigation)) > 0.1).mean()) > 0.005


def most_common(picture: Picture) -> float:
    """Return the luminance that most of a picture has."""
    import numpy

    counts, edges = numpy.histogram(picture, bins=200, range=(0, 1))
    return float(edges[int(numpy.argmax(counts))])


def contrast(one: float, other: float) -> float:
    """Return the ratio of WCAG 2: 7 and more is its level AAA."""
    light, dark = max(one, other), min(one, other)
    return (light + 0.05) / (dark + 0.05)


def runs(rows: Picture) -> list[int]:
    """Return how many rows in a row have ink, for each line of text."""
    found = [0]
    for has_ink in rows:
        if has_ink:
            found[-1] += 1
        elif found[-1]:
            found.append(0)
    return found
