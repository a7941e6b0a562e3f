"""The settings of an exporter's custody, the same in every process."""

from __future__ import annotations

from dataclasses import dataclass

from .destination import Destination
from .disk_place import DiskPlace
from .retention import Retention


@dataclass(frozen=True, slots=True)
class CustodySettings:
    """The settings that a forked child's custody shares with its parent's.

    Attributes:
        name: The exporter's name.
        unit: The name of an item, in the plural.
        destination: Where payloads go.
        attempt_timeout: Seconds that one call may take.
        retention: What is kept, and for how long.
        in_order: True where batches are to be sent in the order in which they came.
        place: On disk; ``None``: in memory alone.
        can_use_disk: True where batches could lie on disk if the user named a directory.
    """

    name: str
    unit: str
    destination: Destination
    attempt_timeout: float
    retention: Retention
    in_order: bool = False
    place: DiskPlace | None = None
    can_use_disk: bool = False
