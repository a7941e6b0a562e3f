"""What lies in the directory of retention that nobody will deliver."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..._base.log import counted
from ..report import Steps, warning

if TYPE_CHECKING:
    from ..._spool.listing import Found

_LONG = 86_400.0
"""Seconds, as the default of the greatest age: what is older would have been delivered or dropped."""


def examine(directory: str, rows: Iterable[Found], ours: str) -> Steps[None]:
    """Find what services that are gone have left, what newer versions have written, and damaged files.

    Args:
        directory: That of retention.
        rows: All that lies there.
        ours: The path of the folder of the service that is looked at, with a slash at its end.
    """
    now, command = time.time(), f"python -m breaker_exporter spool {shlex.quote(directory)}"
    for row in rows:
        only = f"{command} --service {shlex.quote(row.service)}"
        if not row.path.startswith(ours) and row.oldest is not None and now - row.oldest > _LONG:
            days = (now - row.oldest) / 86_400
            text = (
                f"{counted(row.items, row.signal)} of {row.service!r} lie in {directory!r}, the oldest for "
                f"{days:.0f} days: no worker of that service delivers them"
            )
            advice = f"deliver them: {only} --send; or delete them: {only} --delete"
            todo = ("deliver what is left:", f"{only} --send")
            yield warning("retain-orphans", text, advice, todo=todo)
        if row.newer:
            files = f"{counted(row.newer, 'files')} in {row.path!r}"
            text = f"a newer version of breaker-exporter has written {files}, which this one leaves alone"
            yield warning("retain-newer", text, "upgrade breaker-exporter here, which then delivers them")
        if row.set_aside:
            text = f"set aside as damaged, and never sent: {counted(row.set_aside, 'files')} in {row.path!r}"
            advice = "a power cut does that; remove the files that end in .damaged when you have looked"
            yield warning("retain-damaged", text, advice)
