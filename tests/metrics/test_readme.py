"""What README shows is what is tested here."""

from __future__ import annotations

from pathlib import Path

import pytest

from ._recipes import BY_PUSH, BY_SCRAPE, FIRST, HEALTHZ, PAGING, WRAPPED

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("recipe", [BY_PUSH, BY_SCRAPE, FIRST, HEALTHZ, PAGING, WRAPPED])
def test_each_recipe_is_in_readme_word_for_word(recipe: str) -> None:
    assert f"```python\n{recipe.strip()}\n```" in (ROOT / "README.md").read_text()


def test_the_alert_is_in_readme_as_it_is_in_its_file() -> None:
    alert = (ROOT / "docs" / "alerts.yml").read_text().strip()
    assert f"```yaml\n{alert}\n```" in (ROOT / "README.md").read_text()
