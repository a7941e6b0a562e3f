"""The spools in a directory that the command is about."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from .._base.redaction import shown
from .._spool.cannot_use import CannotUse
from .._spool.listing import Found, services


@dataclass(frozen=True, slots=True)
class Selection:
    """The user's choice.

    Attributes:
        directory: The user's directory.
        service: ``namespace/name``, or the name; ``None``: all.
        exporter: Its name, for log records and metrics also without the signal behind it, which the hooks put
            there; ``None``: all.
        signal: Its name, as spools have it; ``None``: all.
        unreadable: One line for each folder that could not be read, since :meth:`found` was called.
    """

    directory: str
    service: str | None = None
    exporter: str | None = None
    signal: str | None = None
    unreadable: list[str] = field(default_factory=list)

    def left(self) -> list[Found]:
        """The spools in which anything is left; what a writer has not finished is nothing.

        Raises:
            CannotUse: The directory cannot be read.
        """
        return [row for row in self.found() if row.batches or row.set_aside or row.newer]

    def found(self) -> list[Found]:
        """The spools in which any file lies.

        Raises:
            CannotUse: The directory cannot be read.
        """
        errors: list[OSError] = []
        try:
            found = services(os.path.abspath(self.directory), errors.append)
            rows = [row for row in found if self._is_meant(row)]
        except OSError as error:
            raise CannotUse(f"{shown(self.directory)} cannot be used: {_reason(error)}") from error
        self.unreadable[:] = [
            f"{error.filename!r} cannot be read: {_reason(error)}"
            for error in errors
            if not isinstance(error, FileNotFoundError)  # gone meanwhile
        ]
        return rows

    def _is_meant(self, row: Found) -> bool:
        is_chosen = self.service in (None, row.service) and self.signal in (None, row.signal)
        names = (row.exporter, row.exporter.removesuffix(f" {row.signal}"))
        return row.bytes > 0 and is_chosen and (self.exporter is None or self.exporter in names)


def _reason(error: OSError) -> str:
    reason = error.strerror or str(error)
    if not isinstance(error, PermissionError):
        return reason
    return f"{reason}; run this as its owner, such as by: sudo -u '#ID' (ID by: ls -ldn)"
