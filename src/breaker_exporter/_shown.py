"""How values, errors and other people's words look in a log line: short, on one line, without secrets."""

from __future__ import annotations

import base64
import binascii
import re
import traceback
from collections.abc import Iterable, Iterator

_LONGEST_MESSAGE = 200
"""Characters."""
_MOST_READ = 4096
"""Characters of a message that are looked at: more would hold the GIL for milliseconds."""
_MOST_SEARCHED = 800
"""Characters that are searched for what looks like a secret: that takes time by their number squared."""
_SHORTEST_SECRET = 4
"""Characters: a shorter value, a tenant's number say, is in too many words that mean something else."""
_LONG_SECRET = 8
"""Characters from which a secret is masked inside of other words too."""

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
_CREDENTIALS = re.compile(r"(?i)\b(bearer|basic)\s+(?=\S*[\d=._])[\w+/=.~-]{8,}")


def shown(value: object) -> str:
    """A setting's value, without the credentials or the query of a URL."""
    return _short(repr(value))


def message(text: str, secrets: Iterable[str] = ()) -> str:
    """The words of somebody else, a backend say: one line, 200 characters, printable, secrets masked.

    Args:
        text: May hold anything, escape sequences of a terminal too.
        secrets: Values that must not be seen, such as those of headers. The credentials in an
            ``Authorization`` are masked without the scheme too, those of ``Basic`` also when decoded.
    """
    cut = _ESCAPE_SEQUENCES.sub("", text[:_MOST_READ])
    seen = "".join(one if one.isprintable() else " " if one.isspace() else "" for one in cut)
    line = " ".join(seen.split())
    hidden = sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True)
    for form in hidden:
        inside = re.escape(form)
        line = re.sub(inside if len(form) >= _LONG_SECRET else rf"(?<!\w){inside}(?!\w)", "***", line)
    if hidden and len(text) > _MOST_READ:
        line = line[: -len(hidden[0])]  # a secret may stand there, cut in two
    if len(line) > _MOST_SEARCHED:
        head, blank, last = line[:_MOST_SEARCHED].rpartition(" ")
        line = head if blank else "..." if re.search("[/@?=]", last) else last  # the last may be half a URL
    line = _NAMED_SECRETS.sub(r"\1=***", _CREDENTIALS.sub(r"\1 ***", _without_credentials(line)))
    return _cut(line, _LONGEST_MESSAGE)


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


def _forms(secret: str) -> Iterator[str]:
    """In which forms a secret may come back."""
    secret = " ".join(secret.split())
    scheme, _, credentials = secret.partition(" ")
    forms = [secret, credentials]
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
    # A password may hold a slash, and a URL may lack its scheme: rather too much is hidden than too little.
    text = re.sub(r"(?:(?<=//)|(?<=['\"])(?![\w+.-]*://))[^\s'\"]*@", "***@", text)
    return re.sub(r"([\w.\-\]/@:*]+)\?[^\s'\"]+", r"\1?***", text)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 3] + "..."
