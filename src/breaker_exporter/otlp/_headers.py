"""Headers, checked by the rules of what sends them: HTTP/1.1 by requests, or gRPC.

A name may be shown, a value never.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

# The pairs that OpenTelemetry's liberal reading takes; it would log any other in full.
_PAIR = re.compile(
    r"[\x21\x23-\x27\x2a\x2b\x2d\x2e\x30-\x39\x41-\x5a\x5e-\x7a\x7c\x7e]+[ \t]*="
    r"[ \t]*[\x20\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*[ \t]*"
)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, 5.6.2."""
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""Characters that RFC 9110, 5.5, does not allow in a value; a tab may be inside."""
_FRAMING = ("content-length", "transfer-encoding")
_GRPC_NAME = re.compile(r"[0-9a-z_.-]+")
_GRPC_VALUE = re.compile(r"[\x20-\x7e]*")
"""Both as gRPC's protocol has them (PROTOCOL-HTTP2, Custom-Metadata)."""


class Headers(NamedTuple):
    """Headers that can be sent, with names in lower case, and what is wrong with each other one."""

    usable: dict[str, str]
    faults: list[str]


def fault(name: str, value: str, protocol: str) -> str | None:
    """Why this header can never be sent by that protocol; ``None``: it can. Says nothing of the value."""
    return _grpc_fault(name, value) if protocol == "grpc" else _http_fault(name, value)


def given(headers: Mapping[str, str], protocol: str) -> Headers:
    """Headers given in code."""
    found = Headers({}, [])
    for number, (name, value) in enumerate(headers.items(), 1):
        _sort(found, _label(name.strip(), number), name.strip().lower(), value, protocol)
    return found


def parsed(text: str, protocol: str) -> Headers:
    """Headers from a variable: what OpenTelemetry makes of each pair, and what is wrong with bad ones."""
    from opentelemetry.util.re import parse_env_headers

    found = Headers({}, [])
    is_broken = False
    for number, pair in enumerate(map(str.strip, text.split(",")), 1):
        if not pair:
            continue
        # After a broken pair may come the rest of its value.
        label = _label("" if is_broken else pair.partition("=")[0].rstrip(), number)
        is_broken = _PAIR.fullmatch(pair) is None
        if is_broken:
            found.faults.append(
                f"header {label} must be name=value, without a blank or a colon in the name, and with "
                "quotes, commas, semicolons and backslashes in the value percent-encoded (%22)"
            )
            continue
        for name, value in parse_env_headers(pair, liberal=True).items():
            _sort(found, label, name, value, protocol)
    return found


def _label(name: str, number: int) -> str:
    """The name, or where it is none the number: all of a header may have got into its name."""
    return f"{name!r}" if _TOKEN.fullmatch(name) else f"number {number}"


def _sort(found: Headers, label: str, name: str, value: str, protocol: str) -> None:
    if why := fault(name, value, protocol):
        found.faults.append(f"header {label} can never be sent: {why}")
    else:
        found.usable[name] = value


def _http_fault(name: str, value: str) -> str | None:
    if not _TOKEN.fullmatch(name):
        return "its name must be letters, digits and !#$%&'*+-.^_`|~"
    if name.lower() in _FRAMING:
        return "the exporter itself says how long a request is"
    if _CONTROL.search(value):
        return "its value has a line break or another control character in it"
    if value[:1].isspace():
        return "its value begins with a blank"
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return "its value has a character outside of Latin-1 in it, which HTTP cannot carry"
    return None


def _grpc_fault(name: str, value: str) -> str | None:
    if not _GRPC_NAME.fullmatch(name):
        return "its name must be lower-case letters, digits and -_. for gRPC"
    if name.startswith("grpc-"):
        return "names that begin with grpc- are gRPC's own"
    if name.endswith("-bin"):
        return "names that end in -bin have binary values in gRPC, which text is not"
    if not _GRPC_VALUE.fullmatch(value):
        return "its value must be printable ASCII for gRPC"
    return None
