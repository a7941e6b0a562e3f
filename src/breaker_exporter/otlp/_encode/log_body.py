"""The text that is sent in place of a log record's body that OTLP has no place for."""

from __future__ import annotations

import logging

from ..._base.log import say
from .wire import reason_of, sized

_LONGEST = 8192
"""Characters of the text of an object; what was a text already is sent as long as it is."""

_said: list[str] = []
"""Why the first body of this process was replaced."""


def body_as_text(body: object, error: Exception) -> bytes:
    """Return the field with the text of `body`, which cannot be encoded as it is, by `error`.

    A text that is no Unicode, such as the name of a file, is written with its odd characters escaped.
    """
    _say_once(error)
    text = body if isinstance(body, str) else _shown(body)
    return b"\x2a" + sized(b"\x0a" + sized(str.encode(text, "utf-8", "backslashreplace")))


def _shown(body: object) -> str:
    try:
        return str(body)[:_LONGEST]
    except Exception:  # it is the application's code
        return f"<{type(body).__name__}>"


def _say_once(error: Exception) -> None:
    if not _said:
        why = reason_of(error)
        _said.append(why)
        say(
            logging.WARNING,
            "the body of a log record cannot be encoded (%s): its text is sent instead; later ones are "
            "replaced without a word",
            why,
        )
