"""What a configuration raised: type, message and place, without secrets."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path

from .._base import environment
from .._base.redaction import message

_SECRET_NAME = re.compile(r"(?i)key|token|secret|pass|pwd|credential|auth|dsn")
_DOCTOR = str(Path(__file__).parent)


def reason(
    error: BaseException, path: str | None = None, namespace: Mapping[str, object] | None = None
) -> str:
    """One line of what was raised.

    Args:
        error: It.
        path: The configuration, if that was executed.
        namespace: Its names: the values of those that sound secret are masked.
    """
    return said(error, namespace) + _places(error, path)


def said(error: BaseException, namespace: Mapping[str, object] | None = None) -> str:
    """Type and message alone."""
    text = str(error.msg) if isinstance(error, SyntaxError) else str(error)
    told = message(text, _secrets(namespace or {}))
    return f"{type(error).__name__}{f': {told}' if told else ''}"


def _secrets(namespace: Mapping[str, object]) -> Iterator[str]:
    # Only now: it loads what the configuration itself may not have.
    from .listening import Given, Listening
    from .secrets import of_url, secrets_of

    yield from secrets_of(Given(), Listening())
    for name, value in {**environment.snapshot(), **namespace}.items():
        if isinstance(value, str):
            yield from of_url(value) if "://" in value else ()
            if _SECRET_NAME.search(name):
                yield value


def _places(error: BaseException, path: str | None) -> str:
    """The line of the configuration, and where else it was raised."""
    frames = [
        (frame.filename, frame.lineno)
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(("<frozen", _DOCTOR))
    ]
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        frames.append((error.filename, error.lineno))
    inside = [frame for frame in frames if frame[0] == path][-1:]
    places = inside if frames[-1:] == inside else [*inside, *frames[-1:]]
    told = [f"{_nearby(filename)}:{line}" for filename, line in places]
    return f" ({', raised in '.join(told)})" if told else ""


def _nearby(filename: str) -> str:
    try:
        return str(Path(filename).relative_to(Path.cwd()))
    except ValueError:
        return filename
