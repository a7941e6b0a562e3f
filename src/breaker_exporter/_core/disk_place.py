"""The place on disk where the batches of one exporter are kept, for all processes of a host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .._spool.spool import Spool
from .backlog import Backlog
from .disk_backlog import DiskBacklog
from .disk_health import DiskHealth
from .disk_work import DiskWork
from .kept_accounts import KeptAccounts
from .payload import StoringEncoder
from .retention import Retention
from .retention_settings import Keep


@dataclass(frozen=True, slots=True)
class DiskPlace:
    """The folder of one exporter's batches, and the encoder that reads and writes them.

    Attributes:
        retention: With a directory.
        exporter: The exporter's name.
        encoder: Makes bytes of payloads, and the reverse.
        in_order: True where batches are to be sent in the order in which they came.
    """

    retention: Retention
    exporter: str
    encoder: StoringEncoder
    in_order: bool

    def spool(self, service: str) -> Spool:
        """The spool of a service, which opens its files at its first use."""
        assert self.retention.directory is not None
        return Spool(
            self.retention.directory,
            service,
            self.encoder.signal,
            self.exporter,
            limit=self.retention.disk,
            keep_newest=self.retention.keep is Keep.NEWEST,
        )

    def backlog(
        self,
        service: str,
        backlog: Backlog,
        accounts: KeptAccounts,
        longest_call: float,
        changed: Callable[[], object],
        wake_sender: Callable[[], object],
    ) -> DiskBacklog:
        """The backlog on disk of a process, beside the one in memory.

        Args:
            service: ``service.namespace/service.name``, or the name alone.
            backlog: In memory.
            accounts: Of what the exporter keeps.
            longest_call: Seconds that a call may take.
            changed: Called when a parcel is settled or written.
            wake_sender: Called when something was read.
        """
        spool = self.spool(service)
        work = DiskWork(spool, self.encoder, self.retention.max_age, longest_call, in_order=self.in_order)
        health = DiskHealth(self.exporter, spool, self.retention.disk)
        release = self.encoder.release_payload
        return DiskBacklog(
            self.exporter, self.retention, backlog, accounts, work, health, release, changed, wake_sender
        )
