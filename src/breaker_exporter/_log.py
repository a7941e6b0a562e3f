"""The one logger, and a way to write to it that a raising handler cannot turn against the caller.

Never ERROR: Sentry makes events of those, and an outage would burn the quota.
"""

from __future__ import annotations

import logging

logger = logging.getLogger("breaker_exporter")


def say(level: int, message: str, *args: object, cause: BaseException | None = None) -> None:
    """Log `message`, with the traceback of `cause` where there is one."""
    if logger.isEnabledFor(level):
        try:
            logger.log(level, message, *args, exc_info=cause, stacklevel=2)
        except Exception:
            pass  # a handler that raises is its owner's, not our caller's
