"""Work that goes on in the background: in a greenlet of the main thread's hub, else on a native thread."""

from __future__ import annotations

import contextvars
from collections.abc import Callable

from . import hub
from .threads import end_own_hub, start_thread


def start_in_background(
    work: Callable[[], None], context: contextvars.Context, ended: Callable[[], None]
) -> None:
    """Run `work` in the background. Nobody waits for it, and it keeps no process from exiting (R4).

    A greenlet runs it where the caller is one of the main thread's. On the hub of another thread it might
    never run: that thread may wait without its hub.

    Args:
        work: What to run.
        context: The context that it runs in.
        ended: Called when it is over, however it ended.

    Raises:
        RuntimeError: No thread can be started (any more).
    """
    if hub.is_on_main_hub():
        hub.start_greenlet(work, ended, context)
        return

    def run() -> None:
        try:
            context.run(work)
        finally:
            try:
                ended()
            finally:
                end_own_hub()

    start_thread(run)
