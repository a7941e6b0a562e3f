"""Modules that took ``SSLContext`` from ``ssl`` before gevent patched it.

gevent replaces ``ssl.SSLContext``. A module that holds the class itself, as urllib3 does, keeps the
original, and what it makes of it recurses without end at its first HTTPS request (gevent #1016). ``import
ssl`` alone is harmless: Gunicorn's arbiter does it.
"""

from __future__ import annotations

import sys
from types import ModuleType

TAKEN = (
    "gevent patched ssl after these modules had taken SSLContext from it: %s. With urllib3 this was seen to "
    "end in RecursionError at the first HTTPS request. "
)


def holders_of_ssl() -> tuple[str, ...]:
    """The loaded modules that hold the class ``ssl.SSLContext``, or one derived from it, as it is now."""
    ssl = sys.modules.get("ssl")
    return () if ssl is None else holders_of(ssl.SSLContext)


def holders_of(context: type) -> tuple[str, ...]:
    """The same for a given class: ``ssl.SSLContext`` as it was at an earlier time."""
    derived: list[type] = type.__subclasses__(context)
    names = {each.__module__ for each in derived}
    for name, module in list(sys.modules.items()):
        # Other objects in ``sys.modules``, such as lazy proxies, may do anything when an attribute is read.
        namespace = vars(module) if issubclass(type(module), ModuleType) else {}
        if any(value is context for value in list(namespace.values())):
            names.add(name)
    return tuple(sorted(name for name in names if name != "ssl" and not name.startswith("gevent.")))
