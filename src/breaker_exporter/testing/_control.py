"""The control URL: shows the state and switches the fault by plain HTTP, for this machine alone."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields as fields_of
from functools import partial
from urllib.parse import parse_qsl, urlsplit

from ._fault_settings import FaultSetting, connections_mode, signal_alone
from ._faults import Connections, Signal
from ._http1 import BadRequest, Head, read_body, read_head, response
from ._inbox import Inbox
from ._tcp import Connection

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_WAIT = "GET /wait"
COUNTED = ("spans", "log_records", "data_points", "requests", "connections", "sentry_items")
"""What a request can wait for."""
_BESIDE_THE_SETTING = ("connections", "signal")
_MAX_WAIT = 3600.0
"""Longest wait of a request, in seconds."""


class Control:
    """Serves connections of the control port.

    Args:
        inbox: What was received.
        state: Returns the collector's state.
        set_fault: Switches its fault.
        renew: Resets it.
    """

    def __init__(
        self,
        inbox: Inbox,
        state: Callable[[], dict[str, object]],
        set_fault: Callable[[FaultSetting, Connections, Signal | None], Awaitable[None]],
        renew: Callable[[], Awaitable[None]],
    ) -> None:
        self._inbox = inbox
        self._state = state
        self._set_fault = set_fault
        self._shown: dict[str, Callable[[], object]] = {
            "GET /state": state,
            "GET /span_ids": inbox.span_ids,
            "GET /log_bodies": inbox.log_bodies,
            "GET /latest_spans": partial(inbox.latest, Signal.TRACES),
            "GET /latest_log_records": partial(inbox.latest, Signal.LOGS),
            "GET /latest_data_points": partial(inbox.latest, Signal.METRICS),
            "GET /latest_sentry_items": inbox.latest_sentry_items,
        }
        self._done: dict[str, Callable[[bytes], Awaitable[None]]] = {
            "POST /fault": self._switch,
            "POST /clear": self._clear,
            "POST /renew": lambda _: renew(),
        }

    async def serve(self, connection: Connection) -> None:
        """Answer one request."""
        try:
            head = await read_head(connection.reader)
            if head is None:
                return
            _check_caller(head)
            answer = await self._answer(head, await read_body(connection.reader, head))
            status, kind, body = 200, "application/json", json.dumps(answer)
        except BadRequest as refusal:
            status, kind, body = refusal.status, "text/plain; charset=utf-8", f"{refusal.text}\n"
        headers = {"Content-Type": kind, "Connection": "close"}
        await connection.send(response(status, headers, body.encode()))

    async def _answer(self, head: Head, body: bytes) -> object:
        url = urlsplit(head.target)
        route = f"{head.method} {'/state' if url.path == '/' else url.path}"
        if route in self._shown:
            return self._shown[route]()
        if route == _WAIT:
            return await self._wait(dict(parse_qsl(url.query)))
        if route not in self._done:
            raise BadRequest(404, f"known are {', '.join([*self._shown, _WAIT, *self._done])}")
        await self._done[route](body)
        return self._state()

    async def _clear(self, _: bytes) -> None:
        self._inbox.clear()

    async def _switch(self, body: bytes) -> None:
        fields = _json_object(body)
        known = {*_BESIDE_THE_SETTING, *(field.name for field in fields_of(FaultSetting))}
        if unknown := sorted(fields.keys() - known):
            raise BadRequest(
                400, f"unknown fields {', '.join(unknown)}; known are {', '.join(sorted(known))}"
            )
        settings = {
            name: value for name, value in fields.items() if name not in ("fault", *_BESIDE_THE_SETTING)
        }
        try:
            setting = FaultSetting.of(fields.get("fault"), settings)
            signal = signal_alone(fields.get("signal"), setting.fault)
            mode = connections_mode(fields.get("connections"), setting.fault, signal)
        except ValueError as error:
            raise BadRequest(400, str(error)) from None
        await self._set_fault(setting, mode, signal)

    async def _wait(self, query: Mapping[str, str]) -> dict[str, bool]:
        what, kind = query.get("for", "spans"), query.get("kind")
        try:
            count, timeout = int(query.get("count", "1")), float(query.get("timeout", "10"))
            allowed = what in COUNTED and 0 <= timeout <= _MAX_WAIT
            allowed = allowed and (kind is None or what == "sentry_items")
        except ValueError:
            allowed = False
        if not allowed:
            known = f"for={'|'.join(COUNTED)}, count=N, timeout=0 to {_MAX_WAIT:g}"
            raise BadRequest(400, f"{known}, kind=K with sentry_items alone: not {query}")
        return {"reached": await self._inbox.wait_for(what, count, timeout, kind)}


def _check_caller(head: Head) -> None:
    """Refuse what a page in a browser on this machine could send (also after DNS rebinding)."""
    if "origin" in head.headers:
        raise BadRequest(403, "not for browsers: the request has an Origin header")
    host = head.headers.get("host", "")
    try:
        hostname = urlsplit(f"//{host}").hostname
    except ValueError:
        hostname = None
    if hostname not in _LOOPBACK:
        raise BadRequest(403, f"Host is {host!r}, not one of {', '.join(_LOOPBACK)}")


def _json_object(body: bytes) -> Mapping[str, object]:
    try:
        value = json.loads(body)
    except ValueError as error:
        raise BadRequest(400, f"body is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadRequest(400, f"body must be a JSON object, not {value!r}")
    return value
