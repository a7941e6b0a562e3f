"""Native locks of other packages that were made before the monkey patch, and stop the hub after it."""

from __future__ import annotations

import sys
import threading

from .._concurrency.native import new_lock
from .._concurrency.patched import is_patched

_LOCK = "_global_shutdown_lock"
_ONCE = "opentelemetry.util._once"


def mend_native_locks() -> None:
    """Replace native locks that were made before the monkey patch, since a provider may be made before it.

    Resource detection loads ``concurrent.futures.thread``, which makes a lock that ``submit`` holds while a
    thread starts. Under gevent before 26.8 a lock from before the patch stays native, and two greenlets of
    the application that use a pool at once stop the hub for good (gevent #1865). Newer gevents replace it
    themselves when they patch.

    OpenTelemetry's ``Once`` has a lock too, which the spans of each batch processor pass. With a native one,
    a child that starts a subprocess hung in it: greenlets of the parent went on in the child.
    """
    once = sys.modules.get(_ONCE)
    if once is not None and is_patched() and "Lock" in vars(once):
        vars(once)["Lock"] = threading.Lock
    pools = sys.modules.get("concurrent.futures.thread")
    if pools is not None and is_patched() and isinstance(getattr(pools, _LOCK, None), type(new_lock())):
        setattr(pools, _LOCK, threading.Lock())
