"""The disk of an exporter that keeps in memory alone."""

from __future__ import annotations

from .disk_backlog import DiskBacklog
from .disk_order import Reading
from .parcel import Parcel
from .settlement import Settlement


class NoDisk:
    """Nothing lies there, and no parcel has a file."""

    ahead = None
    census = None
    has_files = has_readable_files = may_have_files = False
    has_untried = False
    is_clear = True

    def wake(self) -> bool:
        return True

    def want_nothing(self) -> None:
        pass

    def finish(self, deadline: float) -> None:
        pass

    def write_all(self, deadline: float) -> None: ...

    def stop(self) -> None:
        pass

    def look(self) -> None: ...

    def open(self) -> str | None: ...

    def want(self, reading: Reading) -> None: ...

    def take_ahead(self) -> Parcel | None: ...

    def leave(self, parcel: Parcel) -> None: ...

    def settle(self, parcel: Parcel, found: Settlement, resent: int) -> None: ...


Disk = DiskBacklog | NoDisk
