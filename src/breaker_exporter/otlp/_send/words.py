"""Reads the body of an HTTP answer: a partial success, an error in words, a page of the web."""

from __future__ import annotations

import codecs
import enum
import json
import re
from typing import Any

from . import protobuf
from .protobuf import Malformed

_PAGES = ("text/html", "application/xhtml+xml")
_PROTOBUF = "application/x-protobuf"
_STATUS_MESSAGE = 2
"""A field of google.rpc.Status."""

_REJECTED = ("rejectedSpans", "rejectedLogRecords", "rejectedDataPoints")
_MESSAGES = ("message", "error", "detail", "errorMessage", "error_description", "reason", "title", "errors")


class Kind(enum.Enum):
    """The kinds of body that a good answer may have."""

    OTLP = "OTLP"
    PAGE = "a web page (text/html)"
    """Something for people: no OTLP receiver answers so, and nothing was delivered."""
    OTHER = "no OTLP"
    """OpenTelemetry's own exporters take it for a success without looking."""


def partial_success(body: bytes, content_type: str) -> tuple[Kind, int, str]:
    """Return the kind of a good answer, the number of items it says were rejected, and its message.

    Servers have been seen to answer protobuf with JSON, and under any content type.
    """
    if not body:
        return Kind.OTLP, 0, ""
    if is_page(body, content_type):
        return Kind.PAGE, 0, ""
    if (found := _json(body)) is not None:  # protobuf that begins as JSON does is none
        told = _field(found, "partialSuccess")
        rejected = next(filter(None, (_number(_field(told, name)) for name in _REJECTED)), 0)
        return Kind.OTLP, rejected, _text(_field(told, "errorMessage"))
    try:
        return Kind.OTLP, *protobuf.partial_success(body)
    except Malformed:
        return Kind.OTHER, 0, ""


def error_message(body: bytes, content_type: str) -> str:
    """The words of an answer that is an error: ``google.rpc.Status``, JSON, the title of a page, or text."""
    if is_page(body, content_type):
        # By hand: an expression takes time by the square of what a hostile page holds.
        _, _, title = body[body.lower().find(b"<title") :].partition(b">")
        return title.partition(b"<")[0].decode("utf-8", "replace") if b"<title" in body.lower() else ""
    if (found := _json(body)) is not None:
        return _told(found)
    if media_type(content_type) == _PROTOBUF:
        try:
            return protobuf.text(body, _STATUS_MESSAGE)
        except Malformed:
            return ""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return ""


def is_page(body: bytes, content_type: str) -> bool:
    """True where it is something for a browser."""
    begin = body[:200].lstrip().lower()
    return bool(body) and (
        media_type(content_type) in _PAGES or begin.startswith((b"<!doctype html", b"<html"))
    )


def media_type(content_type: str) -> str:
    """A content type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def _json(body: bytes) -> Any:
    body = body.removeprefix(codecs.BOM_UTF8)
    if not body.lstrip().startswith((b"{", b"[")):
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _told(found: Any) -> str:
    """The message of a JSON error, under the names that are in use."""
    for name in _MESSAGES:
        value = _field(found, name)
        if isinstance(value, list):
            value = value[0] if value else None
        if isinstance(value, dict):
            value = _told(value)
        if isinstance(value, str) and value:
            return value
    return ""


def _field(found: Any, name: str) -> Any:
    """By its name in JSON, or by that in protobuf."""
    if not isinstance(found, dict):
        return None
    return found.get(name, found.get(re.sub("([A-Z])", r"_\1", name).lower()))


def _number(value: Any) -> int:
    """64 bits are a string in protobuf's JSON; many write a number."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return 0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
