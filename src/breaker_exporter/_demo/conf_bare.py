"""``gunicorn.conf.py`` of the bare service: the lines that OpenTelemetry's documentation shows.

They run after gevent's monkey patch, as in an application's own module. In ``post_fork``, before the patch,
the processors' threads would be native ones: a blocked gRPC export would not block the hub, but locks and
threads from before the patch would keep a worker with a hung export from exiting.
"""

from __future__ import annotations

from .meter import meter

control_socket_disable = True


def post_worker_init(worker: object) -> None:
    from opentelemetry.sdk.resources import Resource

    from .._harness.official import export_all

    export_all(Resource.create({"service.name": "shop"}), meter.sdk.reader)
    meter.sdk.is_joined = True
