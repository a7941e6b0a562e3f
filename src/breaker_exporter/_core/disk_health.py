"""The state of the disk by its last orders: usable, full or failing; and the log lines when it changes."""

from __future__ import annotations

import logging

from .._base.log import counted, say
from .._base.redaction import message
from .._spool.spool import Spool
from .disk_order import Found

_RETRY_AFTER = 60.0
"""Seconds from an error of the disk until it is tried again."""
_WRITE_AFTER = 10.0
"""Seconds until more is written to a disk that had no room."""


class DiskHealth:
    """When the disk may be tried again. All times are monotonic seconds.

    Args:
        name: The exporter's name.
        spool: Of the exporter.
        limit: Bytes that the service may take there.
    """

    def __init__(self, name: str, spool: Spool, limit: int) -> None:
        self._name = name
        self._spool = spool
        self._limit = limit
        self._retry_at = 0.0
        self._write_at = 0.0
        self._is_broken = False
        self._is_full = False
        self._said_warning = False
        self._said_set_aside = 0

    def may_try(self, now: float) -> bool:
        """True where the disk may be asked for anything."""
        return now >= self._retry_at

    def may_write(self, now: float) -> bool:
        """True where there may be room for more."""
        return now >= self._write_at

    def learn(self, found: Found, now: float) -> None:
        """Learn from an order that was carried out, or failed."""
        if found.error is not None:
            self._retry_at = now + _RETRY_AFTER
            if not self._is_broken:
                self._is_broken = True
                text = "%s: nothing is kept on disk now, in memory alone: %s; tried again every minute"
                say(logging.WARNING, text, self._name, self.why(found.error))
            return
        if found.warning is not None and not self._said_warning:
            self._said_warning = True
            say(logging.WARNING, "%s: %s", self._name, found.warning)
        if found.set_aside > self._said_set_aside:
            count = counted(found.set_aside - self._said_set_aside, "files")
            self._said_set_aside = found.set_aside
            text = "%s: %s damaged and set aside, 16 at most are kept: %s"
            say(logging.WARNING, text, self._name, count, self._spool.path)
        if self._is_broken and (found.written or found.removed):  # to have looked proves nothing
            self._is_broken = False
            say(logging.WARNING, "%s: the disk can be used again: %s", self._name, self._spool.path)
        if found.is_full:
            self._write_at = now + _WRITE_AFTER
            if not self._is_full:
                self._is_full = True
                text = "%s: no room on disk for more (%d bytes in all, some of the file system stay free): %s"
                say(logging.WARNING, text, self._name, self._limit, self._spool.path)
        elif found.written:
            self._is_full = False

    def why(self, error: Exception) -> str:
        """The error's text, with the path of the spool."""
        text = error.strerror if isinstance(error, OSError) and error.strerror else message(str(error))
        return text if self._spool.path in text else f"{text}: {self._spool.path}"
