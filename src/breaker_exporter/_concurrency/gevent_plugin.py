"""gevent's plug-in: does nothing unless an exporter was made before the monkey patch.

gevent loads this in every process that has both packages installed, by the entry points
``gevent.plugins.monkey.*``. So it imports nothing, and costs a process without exporters almost nothing.
"""

import sys

_REGISTRY = f"{__package__}.before_patch"
"""Loaded by whatever makes exporters before the patch: OpenTelemetry's auto-instrumentation."""


def will_patch(event: object) -> None:
    """gevent's ``will_patch_all``."""
    if _REGISTRY in sys.modules:
        from . import before_patch

        before_patch.will_patch()


def did_patch(event: object) -> None:
    """gevent's ``did_patch_all``."""
    if _REGISTRY in sys.modules:
        from . import before_patch

        before_patch.did_patch()
