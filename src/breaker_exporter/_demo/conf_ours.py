"""``gunicorn.conf.py`` of the guarded service: this package's hooks, watched by the meter."""

from __future__ import annotations

from ..gunicorn import hooks
from ..telemetry import Telemetry
from .meter import meter

control_socket_disable = True

telemetry = Telemetry(service_name="shop", listeners=[meter.note])
post_fork, post_worker_init, worker_exit = hooks(telemetry)
meter.watch(telemetry)
