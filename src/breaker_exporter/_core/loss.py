"""The kinds of loss, and those of them that are called dropped: what was kept before."""

from __future__ import annotations

import enum

from .._base.values import DropReason


class Loss(enum.StrEnum):
    """Kinds of loss, as the line at the stop calls them."""

    FAILED = "failed"
    REJECTED = "rejected by the backend"
    UNSENT = "impossible to send"
    REFUSED_IN_OUTAGE = "refused while the circuit was open"
    REFUSED = "refused with the circuit closed"
    EVICTED = "dropped since the memory for what is kept was full"
    EXPIRED = "dropped for their age"
    STOPPED = "dropped since the process ended"


DROPS = {
    DropReason.EVICTED: Loss.EVICTED,
    DropReason.EXPIRED: Loss.EXPIRED,
    DropReason.SHUTDOWN: Loss.STOPPED,
}
