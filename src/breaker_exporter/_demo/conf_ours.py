"""``gunicorn.conf.py`` of the guarded service: this package's hooks, watched by the meter."""

from __future__ import annotations

from ..gunicorn import hooks
from ..telemetry import Telemetry
from .meter import meter

control_socket_disable = True

telemetry = Telemetry(service_name="shop", listeners=[meter.note])
post_fork, _post_worker_init, worker_exit = hooks(telemetry)


def post_worker_init(worker: object) -> None:
    _post_worker_init(worker)
    meter.watch(telemetry.exporters)
    meter.sdk.join()
