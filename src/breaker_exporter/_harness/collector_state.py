"""The counts of a faulty collector, read often and cheaply."""

from __future__ import annotations

import contextlib
import http.client
import json
from urllib.parse import urlsplit

_TIMEOUT = 5.0
"""Seconds a collector may take to answer."""


def collector_state(control_url: str) -> dict[str, int]:
    """Return what ``GET /state`` of this control URL answers: counts without the ids of the spans.

    The ids of all spans would be a megabyte each time.

    Raises:
        OSError: The collector does not answer.
    """
    address = urlsplit(control_url).netloc
    with contextlib.closing(http.client.HTTPConnection(address, timeout=_TIMEOUT)) as connection:
        connection.request("GET", "/state")
        state: dict[str, int] = json.load(connection.getresponse())
    return state
