"""Values, errors and foreign messages as a log line may show them: short, on one line, without secrets."""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Iterable, Iterator
from types import TracebackType
from urllib.parse import unquote

_LONGEST_MESSAGE = 200
"""Characters."""
_LONGEST_IMPORT_ERROR = 400
"""Characters: package, remedy and cause must all fit."""
_MOST_READ = 4096
"""Characters of a message that are read: more would hold the GIL for milliseconds."""
_MOST_SEARCHED = 800
"""Characters that are searched for secrets: the time grows with their square."""
_SHORTEST_SECRET = 4
"""Characters: a shorter value, such as a tenant's number, is part of too many other words."""
_LONG_SECRET = 8
"""Characters from which on a secret is masked inside of other words too."""

_ESCAPE_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # colours and movements of the cursor
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # titles, links
    r"|\x1b[ -/]*[0-~]?"
)
_NAMED_SECRETS = re.compile(
    r"(?i)\b((?:api|access|secret|private|license|ingest)?[-_ ]?"
    r"(?:key|token|secret|password|passwd|pwd|authorization)[\"']?\s*)"
    # "token: expired" is no secret, "token: 8f3a01bc" is one.
    r"(?:=\s*[\"']?[^\s\"',;&]+|:\s*[\"']?(?=[^\s\"',;&]*\d)[^\s\"',;&]{8,})"
)
_HOLDS_HEADERS = re.compile("OTEL_EXPORTER_OTLP_(?:[A-Z]+_)?HEADERS")
_PAIRS = re.compile(rf"=\s*\"?([^\s,;\"=]{{{_LONG_SECRET},}})")
"""The values in a header that is a list of pairs, as Sentry's are."""
_CREDENTIALS = re.compile(r"(?i)\b(bearer|basic)\s+(?=\S*[\d=._])[\w+/=.~-]{8,}")


def shown(value: object) -> str:
    """Return a setting's value as text, without the credentials and the query of a URL."""
    return _short(repr(value))


def message(text: str, secrets: Iterable[str] = (), longest: int = _LONGEST_MESSAGE) -> str:
    """Return a foreign message, such as a backend's: one printable line of 200 characters, secrets masked.

    Args:
        text: Any text, with escape sequences of a terminal too.
        secrets: Values to mask, such as those of headers. The credentials in an ``Authorization`` are masked
            without the scheme too, those of ``Basic`` also when decoded.
        longest: Length of the line, in characters.
    """
    cut = _ESCAPE_SEQUENCES.sub("", text[:_MOST_READ])
    seen = "".join(one if one.isprintable() else " " if one.isspace() else "" for one in cut)
    line = " ".join(seen.split())
    hidden = sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True)
    for form in hidden:
        inside = re.escape(form)
        line = re.sub(inside if len(form) >= _LONG_SECRET else rf"(?<!\w){inside}(?!\w)", "***", line)
    if hidden and len(text) > _MOST_READ:
        line = line[: -len(hidden[0])]  # the cut may have left half of a secret there
    if len(line) > _MOST_SEARCHED:
        head, blank, last = line[:_MOST_SEARCHED].rpartition(" ")
        line = head if blank else "..." if re.search("[/@?=]", last) else last  # the last may be half a URL
    line = _NAMED_SECRETS.sub(r"\1=***", _CREDENTIALS.sub(r"\1 ***", _without_credentials(line)))
    return _cut(line, longest)


def secrets_of_environment() -> list[str]:
    """The values of all OTLP headers in this process's variables, of any signal, usable or not."""
    found = [text for name, text in os.environ.items() if _HOLDS_HEADERS.fullmatch(name)]
    pairs = [pair for text in found for pair in text.split(",")]
    return [unquote(pair.partition("=")[2]).strip() for pair in pairs]


def origin(error: BaseException) -> str:
    """Return the type and place of an error, with its text where that is safe to show.

    The text of an error may hold secrets, so it is left out. Safe are import errors, which name a module, and
    texts of the operating system, its resolver and OpenSSL, also where another error wraps them.
    """
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    text = _safe_text(error) or _safe_text(cause(error))
    return f"{name}{text and f': {text}'}{_place(error.__traceback__)}"


def cause(error: BaseException) -> BaseException:
    """Return the innermost of errors that wrap each other, as those of requests and urllib3 do.

    ``__context__`` is not followed: that may be an error of the application.
    """
    seen = {id(error)}
    while True:
        wrapped = (*error.args, getattr(error, "reason", None), error.__cause__)
        inner = next((one for one in wrapped if isinstance(one, BaseException) and id(one) not in seen), None)
        if inner is None:
            return error
        seen.add(id(inner))
        error = inner


def _safe_text(error: BaseException) -> str:
    if isinstance(error, ImportError):
        return _cut(_without_credentials(" ".join(str(error).split())), _LONGEST_IMPORT_ERROR)
    if not isinstance(error, OSError) or not isinstance(error.strerror, str):
        return ""
    of_system = isinstance(error.errno, int) and error.strerror == os.strerror(error.errno)
    if not of_system and type(error).__module__ not in ("socket", "ssl"):
        return ""
    text = message(error.strerror)
    return text if error.filename is None else f"{text} {shown(error.filename)}"


def _place(trace: TracebackType | None) -> str:
    """Return the place of the innermost frame; the module traceback would read source files."""
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    path = trace.tb_frame.f_code.co_filename
    return f" in {path.rpartition('/site-packages/')[2]}:{trace.tb_lineno}"


def _forms(secret: str) -> Iterator[str]:
    """Yield the forms in which a secret may stand in a message."""
    secret = " ".join(secret.split())
    scheme, _, credentials = secret.partition(" ")
    forms = [secret, credentials, *_PAIRS.findall(secret)]
    if scheme.lower() == "basic":
        try:
            user_and_password = base64.b64decode(credentials, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            pass
        else:
            forms += [user_and_password, user_and_password.partition(":")[2]]
    yield from (form for form in forms if len(form) >= _SHORTEST_SECRET)


def _short(text: str) -> str:
    return _cut(_without_credentials(text), 120)


def _without_credentials(text: str) -> str:
    # A password may hold a slash, and a URL may lack its scheme: this hides too much rather than too little.
    text = re.sub(r"(?:(?<=//)|(?<=['\"])(?![\w+.-]*://))[^\s'\"]*@", "***@", text)
    return re.sub(r"([\w.\-\]/@:*]+)\?[^\s'\"]+", r"\1?***", text)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 3] + "..."
