"""How values and errors look in a log line: short, on one line, without secrets."""

from __future__ import annotations

import re
import traceback


def shown(value: object) -> str:
    """A setting's value, without the credentials or the query of a URL."""
    return _short(repr(value))


def origin(error: BaseException) -> str:
    """What went wrong and where.

    The text of an error may hold anything, so it stays out, but for import errors, which name a module, and
    those of the operating system, which name a file.
    """
    name = type(error).__name__
    if isinstance(error, ImportError):
        return f"{name}: {_short(' '.join(str(error).split()))}"
    if isinstance(error, OSError):
        return f"{name}: {error.strerror} {shown(error.filename)}"
    frames = traceback.extract_tb(error.__traceback__)
    return f"{name} in {frames[-1].filename}:{frames[-1].lineno}" if frames else name


def _short(text: str) -> str:
    # A password may hold a slash, and a URL may lack its scheme: rather too much is hidden than too little.
    text = re.sub(r"(?:(?<=//)|(?<=['\"])(?![\w+.-]*://))[^\s'\"]*@", "***@", text)
    text = re.sub(r"([\w.\-\]/@:*]+)\?[^\s'\"]*", r"\1?***", text)
    return text if len(text) <= 120 else text[:117] + "..."
