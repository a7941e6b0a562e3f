"""HTTP/1.1 as bytes: reads requests and writes responses; knows no route and no fault.

By hand, because a faulty collector has to decide about every byte it sends, and when.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

_MAX_BODY = 64 * 1024 * 1024
"""Bytes of a body, sent or unpacked; OTLP exporters send no larger request."""


class BadRequest(Exception):
    """A request that is answered with this status and text; then its connection ends."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True, slots=True)
class Head:
    """A request's line and headers; names of headers in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    keep_alive: bool


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """Return the next request's head, or ``None`` where the client has ended the connection.

    Raises:
        BadRequest: It is no HTTP/1 request.
    """
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise BadRequest(431, "request head too large") from None
    first, *lines = raw.decode("latin-1").split("\r\n")[:-2]
    try:
        method, target, version = first.split(" ")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
    except ValueError:
        raise BadRequest(400, "no HTTP request") from None
    if version not in ("HTTP/1.0", "HTTP/1.1"):
        raise BadRequest(505, f"{version!r} is not spoken here; gRPC has another port")
    keep_alive = version == "HTTP/1.1" and "close" not in headers.get("connection", "").lower()
    return Head(method, target, headers, keep_alive)


def body_length(head: Head) -> int | None:
    """Return the length of the body in bytes; ``None`` for a chunked one.

    Raises:
        BadRequest: The length is no number, or too large.
    """
    if head.headers.get("transfer-encoding", "").lower() == "chunked":
        return None
    length = head.headers.get("content-length", "0")
    if not (length.isascii() and length.isdecimal()):
        raise BadRequest(400, f"Content-Length is {length!r}")
    return _limited(int(length))


async def read_body(reader: asyncio.StreamReader, head: Head) -> bytes:
    """Return the body that follows the head, unpacked.

    Raises:
        BadRequest: It is too large, or not what its headers say.
        asyncio.IncompleteReadError: The client has gone.
    """
    length = body_length(head)
    body = await _read_chunks(reader) if length is None else await reader.readexactly(length)
    return _unpacked(body, head.headers.get("content-encoding", "identity").lower())


def response(status: int, headers: Mapping[str, str], body: bytes, *, missing: int = 0) -> bytes:
    """Return a response; its ``Content-Length`` promises ``missing`` bytes more than there are."""
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = "Unknown"
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers.items())]
    if status < 200 or status in (204, 304):
        body = b""  # such a response has no body and no length (RFC 9110, 6.4.1)
    else:
        lines.append(f"Content-Length: {len(body) + missing}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    try:
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            _limited(len(body) + size)
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass
    except (ValueError, asyncio.LimitOverrunError):
        raise BadRequest(400, "chunked body is malformed") from None
    return bytes(body)


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding == "identity":
        return body
    if encoding not in ("gzip", "deflate"):
        raise BadRequest(415, f"Content-Encoding is {encoding!r}, not gzip, deflate or identity")
    unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        unpacked = unpack.decompress(body, _MAX_BODY)
    except zlib.error as error:
        raise BadRequest(400, f"body is not {encoding}: {error}") from None
    if not unpack.eof:
        raise BadRequest(400, f"body is not whole or more than {_MAX_BODY} bytes unpacked")
    return unpacked


def _limited(length: int) -> int:
    if length > _MAX_BODY:
        raise BadRequest(413, f"body of more than {_MAX_BODY} bytes")
    return length
