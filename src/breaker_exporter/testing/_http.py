"""The collector's HTTP port: OTLP/HTTP requests and Sentry envelopes, answered by the fault in force."""

from __future__ import annotations

import asyncio
import json

from google.rpc.status_pb2 import Status

from ._arrivals import Source
from ._fault_settings import FaultSetting
from ._faults import Fault, Signal
from ._http1 import BadRequest, Head, body_length, read_body, read_head, response
from ._inbox import Inbox
from ._sentry import SentryPath, is_admitted, sentry_path
from ._taken import Malformed
from ._tcp import Connection

_PROTOBUF = "application/x-protobuf"
_JSON = "application/json"
_MISSING = 64
"""Bytes that a truncated answer promises and does not send."""

_STATUS_OF = {
    Fault.UNAVAILABLE: 503,
    Fault.DEADLINE: 504,
    Fault.RESOURCE_EXHAUSTED: 429,
}


_SIGNAL_OF_SENTRY = {SentryPath.TRACES: Signal.TRACES, SentryPath.LOGS: Signal.LOGS}


def path_of(signal: Signal) -> str:
    """Return the path that requests of `signal` are posted to."""
    return f"/v1/{signal.value}"


_SIGNALS = {path_of(signal): signal for signal in Signal}


class HTTPReceiver:
    """Serves connections of the HTTP port into ``inbox``."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def serve(self, connection: Connection) -> None:
        """Answer one request after the other until the connection ends."""
        target = ""  # of the latest request, whose format a refusal has
        try:
            while (head := await read_head(connection.reader)) is not None:
                target = head.target
                self._inbox.note_requests(1)
                if not await self._exchange(connection, head, _signal_of(target)):
                    return
        except BadRequest as refusal:
            headers = {"Connection": "close"}
            await connection.send(self._refused(target, refusal.status, refusal.text, headers))

    async def _exchange(self, connection: Connection, head: Head, signal: Signal | None) -> bool:
        """Answer one request; return whether the connection goes on."""
        setting = connection.meet_request(signal)
        if setting.fault is Fault.BLACKHOLE:
            connection.befall(setting)
            return False
        if setting.fault is Fault.RESET:
            # Half the body; of a chunked one, whose length is unknown, the first byte.
            length = body_length(head)
            await connection.reader.readexactly(1 if length is None else length // 2)
            connection.reset()
            return False
        if head.headers.get("expect", "").lower() == "100-continue":
            await connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await read_body(connection.reader, head)
        if setting.fault is Fault.GARBAGE:
            await connection.send_garbage()
            return False
        if setting.fault is Fault.GOAWAY:
            return False
        status = _status(setting, len(body))
        if 200 <= status < 300:
            answer = self._taken(head, signal, body, setting, status)
        else:
            again = {} if (header := setting.retry_after_header) is None else {"Retry-After": header}
            answer = _refusal(head.target, status, "the fault of this collector", again)
        if setting.fault is Fault.TAKEN_THEN_RESET:
            connection.reset()
        if setting.fault in (Fault.TAKEN_THEN_RESET, Fault.TAKEN_THEN_CLOSED):
            return False
        if setting.fault is Fault.SLOW:
            await asyncio.sleep(setting.seconds or 0.0)
        if setting.fault is Fault.DRIP:
            await connection.drip(answer, setting.interval or 0.0)
        else:
            await connection.send(answer)
        # After an informational status the client would wait for a final one that never comes.
        return head.keep_alive and setting.fault is not Fault.TRUNCATED and status >= 200

    def _taken(
        self, head: Head, signal: Signal | None, body: bytes, setting: FaultSetting, status: int
    ) -> bytes:
        target, sentry = head.target, sentry_path(head.target)
        path = target.partition("?")[0]
        if sentry is None and signal is None:
            known = ", ".join(_SIGNALS)
            return self._refused(target, 404, f"OTLP goes to {known}, or where the Sentry DSN says", {})
        if head.method != "POST":
            return self._refused(target, 405, f"{path} takes POST", {"Allow": "POST"})
        if sentry is not None and not is_admitted(target, head.headers.get("x-sentry-auth", "")):
            return self._refused(target, 403, "project or X-Sentry-Auth is not what the Sentry DSN says", {})
        given = head.headers.get("content-type", "").partition(";")[0].strip().lower()
        # Sentry asks for no media type of an envelope, and clients have sent several.
        if signal is not None and given != _PROTOBUF:
            return self._refused(target, 415, f"Content-Type is {given!r}, not {_PROTOBUF!r}", {})
        try:
            if signal is None:
                media_type, message = _JSON, _json({"id": self._inbox.take_envelope(body)})
            else:
                source = Source.COLLECTOR if sentry is None else Source.SENTRY_OTLP
                media_type, message = _PROTOBUF, self._inbox.take(signal, body, setting, source)
        except Malformed as error:
            return self._refused(target, 400, str(error), {})
        missing = _MISSING if setting.fault is Fault.TRUNCATED else 0
        return response(status, {"Content-Type": media_type}, message, missing=missing)

    def _refused(self, target: str, status: int, text: str, headers: dict[str, str]) -> bytes:
        self._inbox.note_refusal(status, text)
        return _refusal(target, status, text, headers)


def _signal_of(target: str) -> Signal | None:
    sentry = sentry_path(target)
    return _SIGNALS.get(target.partition("?")[0]) if sentry is None else _SIGNAL_OF_SENTRY.get(sentry)


def _status(setting: FaultSetting, size: int) -> int:
    is_too_large = setting.limit is not None and size > setting.limit
    return setting.status or (413 if is_too_large else _STATUS_OF.get(setting.fault, 200))


def _refusal(target: str, status: int, text: str, headers: dict[str, str]) -> bytes:
    # The body of an OTLP/HTTP error is a google.rpc.Status (OTLP specification, "Failures"); Sentry's Relay
    # has JSON with a detail.
    if sentry_path(target) is SentryPath.ENVELOPE:
        return response(status, {"Content-Type": _JSON, **headers}, _json({"detail": text}))
    body = Status(message=text).SerializeToString()
    return response(status, {"Content-Type": _PROTOBUF, **headers}, body)


def _json(answer: dict[str, str | None]) -> bytes:
    return json.dumps(answer).encode()
