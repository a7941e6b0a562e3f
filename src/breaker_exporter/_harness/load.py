"""The load, a process of its own: it sends requests on a fixed schedule, however slow the answers are.

Latency counts from the instant a request was due, as a user sees it; counting from when it was sent would
leave out the wait ("coordinated omission").
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Mapping

from .pipe import say

_FLUSH = 0.05
"""Seconds between two lines about finished requests."""
_BOOT = 20.0
"""Seconds in which all services must have answered once."""


def due_after(index: int, place: int, targets: int, rate: float) -> float:
    """Return the seconds from the load's start until a request is due.

    Requests are evenly spaced, and go to the targets in turn.

    Args:
        index: The number of the request to its target.
        place: The number of the target.
        targets: Number of targets.
        rate: Requests a second to each.
    """
    return (index + place / targets) / rate


class Load:
    """Sends the same requests to all targets.

    Args:
        ports: The ports of the targets, by name.
        rate: Requests a second to each.
        seconds: Duration of the load.
        wait: Seconds to wait for answers after the last request.
    """

    def __init__(self, ports: Mapping[str, int], rate: float, seconds: float, wait: float) -> None:
        self._ports = ports
        self._rate = rate
        self._seconds = seconds
        self._wait = wait
        self._done: list[tuple[str, int, float, int]] = []
        self._late = 0.0

    async def run(self) -> None:
        """Send all requests, and wait for the answers."""
        reporter = asyncio.create_task(self._report())
        answers = asyncio.gather(*map(self._first_answer, self._ports.values()))
        await asyncio.wait_for(answers, _BOOT)
        start = time.monotonic() + 0.1
        say({"kind": "load", "start": start})
        pending: set[asyncio.Task[None]] = set()
        for index in range(int(self._rate * self._seconds)):
            for place, name in enumerate(self._ports):
                due = start + due_after(index, place, len(self._ports), self._rate)
                if (early := due - time.monotonic()) > 0:
                    await asyncio.sleep(early)
                self._late = max(self._late, time.monotonic() - due)
                task = asyncio.create_task(self._request(name, index, due))
                pending.add(task)
                task.add_done_callback(pending.discard)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.gather(*pending), self._wait)
        reporter.cancel()
        self._flush()

    async def _first_answer(self, port: int) -> None:
        while await _get(port) != 200:
            await asyncio.sleep(0.05)

    async def _request(self, name: str, index: int, due: float) -> None:
        status = await _get(self._ports[name])
        self._done.append((name, index, time.monotonic() - due, status))

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH)
            try:
                self._flush()
            except BrokenPipeError:
                os._exit(1)  # the measuring process is gone: nobody waits for the rest

    def _flush(self) -> None:
        done, self._done = self._done, []
        say({"kind": "requests", "done": done, "late": self._late})


async def _get(port: int) -> int:
    """Return the status of ``GET /``, or 0 where there was no answer."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
        finally:
            writer.close()
        return int(answer.split(b" ", 2)[1])
    except (OSError, IndexError, ValueError):
        return 0


def main(argument: str) -> int:
    """Run the load that a JSON object describes."""
    asyncio.run(Load(**json.loads(argument)).run())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
