"""The largest gap of the gevent hub, as a greenlet sees it that wants to run every 5 ms."""

from __future__ import annotations

import time

import gevent

from ._waiting import until


class Heartbeat:
    """Beats while its block runs; ``largest_gap`` is the longest silence between two beats, in seconds."""

    def __init__(self) -> None:
        self.largest_gap = 0.0
        self.beats = 0

    def __enter__(self) -> Heartbeat:
        self._began = time.perf_counter()
        self._greenlet = gevent.spawn(self._beat)
        until(lambda: self.beats)
        return self

    def __exit__(self, *_: object) -> None:
        beats = self.beats
        until(lambda: self.beats > beats)
        self._greenlet.kill()
        self.seconds = time.perf_counter() - self._began

    def _beat(self) -> None:
        last = time.perf_counter()
        while True:
            gevent.sleep(0.005)
            now = time.perf_counter()
            self.largest_gap = max(self.largest_gap, now - last)
            last = now
            self.beats += 1


def quiet_gap(seconds: float = 0.15) -> float:
    """Return the largest gap of the hub of this process while nothing is exported."""
    with Heartbeat() as heartbeat:
        gevent.sleep(seconds)
    return heartbeat.largest_gap


def assert_no_stall(heartbeat: Heartbeat, quiet: float) -> None:
    """Compare with ``quiet`` of the same run, room for a busy machine; a blocked hub has one gap only."""
    room = max(4 * quiet + 0.3, heartbeat.seconds * 2 / 3)
    assert heartbeat.largest_gap < room, (heartbeat.largest_gap, quiet, heartbeat.seconds)
