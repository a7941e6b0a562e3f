"""Docstrings and signatures of our code, as autodoc shows them."""

from __future__ import annotations

import enum
import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.ext.napoleon import Config, GoogleDocstring

_CONFIG = Config(napoleon_google_docstring=True, napoleon_numpy_docstring=False)
_PRIVATE_ARGUMENT = re.compile(r", _\w+=[^,)]+")


def google_style(app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]) -> None:
    """Turn a docstring in Google's style into reStructuredText.

    What napoleon does as an extension, but for attributes: it takes what stands before a colon for a type.
    """
    kind = "method" if what in {"attribute", "data", "property"} else what
    lines[:] = str(GoogleDocstring(lines, _CONFIG, app, kind, name, value, options)).splitlines()


def readable_signature(
    app: Sphinx,
    what: str,
    name: str,
    value: object,
    options: object,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """Show public arguments, none for an enumeration, and a function that is a default by its name."""
    if isinstance(value, type) and issubclass(value, enum.Enum):
        return "", ""
    if signature:
        signature = _PRIVATE_ARGUMENT.sub("", signature)
        signature = signature.replace("<built-in function monotonic>", "time.monotonic")
    return signature, returns


def with_dashes(app: Sphinx, page: nodes.document) -> None:
    """Put a dash between an argument and its text, where autodoc puts two hyphens."""
    for text in list(page.findall(nodes.Text)):
        if text == " -- ":
            text.parent.replace(text, nodes.Text(" \N{EN DASH} "))
