"""The text of an exception that a configuration raised: type, message and place, without secrets."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..._base import environment
from ..._base.redaction import message
from ..report import Finding, broken

_SECRET_NAME = re.compile(r"(?i)key|token|secret|pass|pwd|credential|auth|dsn")
_DOCTOR = str(Path(__file__).parents[1])


def failed(path: str | None, why: str) -> Finding:
    """Return the finding for a configuration that cannot be executed."""
    name = path or "the configuration"
    advice = "correct it: Gunicorn does not start with it. What it sets is not seen here"
    return broken("conf-raises", f"{name} fails: {why}", advice, todo=(f"correct {name}: {why}",))


def reason(error: BaseException, path: str = "", namespace: Mapping[str, object] | None = None) -> str:
    """Return type, message and place in one line.

    Args:
        error: The exception.
        path: The configuration, if that was executed.
        namespace: Its names: the values of those that sound secret are masked.
    """
    return said(error, namespace) + _places(error, path)


def said(error: BaseException, namespace: Mapping[str, object] | None = None) -> str:
    """Return type and message."""
    raw = str(error.msg) if isinstance(error, SyntaxError) else str(error)
    text = message(raw, _secrets(namespace or {}))
    return f"{type(error).__name__}{text and f': {text}'}"


def _secrets(namespace: Mapping[str, object]) -> Iterator[str]:
    # Only now: this loads modules that the configuration itself may not have.
    from ..secrets import of_url, secrets_of
    from ..settings.given import Given
    from ..settings.recording import RecordingEnvironment

    yield from secrets_of(Given(), RecordingEnvironment())
    for name, value in {**environment.snapshot(), **namespace}.items():
        if isinstance(value, str):
            yield from of_url(value) if "://" in value else ()
            if _SECRET_NAME.search(name):
                yield value


def _places(error: BaseException, path: str) -> str:
    """Return the line of the configuration, and where else it was raised."""
    frames = [
        (frame.filename, frame.lineno)
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(("<frozen", _DOCTOR))
    ]
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        frames.append((error.filename, error.lineno))
    inside = [frame for frame in frames if frame[0] == path][-1:]
    places = inside if frames[-1:] == inside else [*inside, *frames[-1:]]
    here = f"{Path.cwd()}/"
    text = ", raised in ".join(f"{file.removeprefix(here)}:{line}" for file, line in places)
    return text and f" ({text})"
