"""The events of the processes of both services in the middle of a fault."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import threading
import time
from collections.abc import Mapping

from .cell import Event
from .disk.directory import Directory
from .observations import NONE, Service

GRACE = 10
"""Seconds that Gunicorn gives a worker to stop."""


_HELD_WITHIN = 1.8
"""Seconds after which somebody holds the lease whose circuit is closed."""


class Happenings:
    """Lets events happen, and ends what does not end by itself.

    Args:
        services: The observations of each service, by its name.
        ports: Their ports.
        disk: The directory that batches are kept in, if there is one.
    """

    def __init__(
        self, services: Mapping[str, Service], ports: Mapping[str, int], disk: Directory | None
    ) -> None:
        self._services = services
        self._ports = ports
        self._disk = disk
        self._tellers: list[threading.Thread] = []

    def begin(self, event: Event) -> None:
        """Let an event happen to each service."""
        for name, service in self._services.items():
            pid = service.latest["pid"]
            if event is Event.KILL:
                os.kill(pid, signal.SIGKILL)
                service.killed[pid] = time.monotonic()
            elif event is Event.FREEZE:
                self._freeze(service, pid if name == NONE else self._lease_holder())
            elif event.path:
                teller = threading.Thread(target=_tell, args=(self._ports[name], event.path, service))
                teller.start()
                self._tellers.append(teller)

    def end(self) -> None:
        """The fault is over: the disk is mended, and stopped processes go on."""
        if self._disk is not None:
            self._disk.mend()
        for service in self._services.values():
            for pid in service.frozen:
                os.kill(pid, signal.SIGCONT)

    def join(self) -> None:
        """Wait for the answers to the requests that were made."""
        for teller in self._tellers:
            teller.join()

    def _lease_holder(self) -> int | None:
        assert self._disk is not None
        deadline, holder = time.monotonic() + _HELD_WITHIN, None
        while holder is None and time.monotonic() < deadline:
            holder = self._disk.lease_holder()
            time.sleep(0.001)
        return holder

    def _freeze(self, service: Service, pid: int | None) -> None:
        if pid is not None:
            os.kill(pid, signal.SIGSTOP)
            service.frozen.append(pid)


def _tell(port: int, path: str, service: Service) -> None:
    service.told = 0
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=GRACE)
        connection.request("GET", path, headers={"Connection": "close"})
        service.told = connection.getresponse().status
        connection.close()
