"""The ``service.instance.id`` that was given, which metrics have with the process's own behind it (L6)."""

from __future__ import annotations

from ..._base.redaction import message
from ..report import Steps, ok
from .recording import RecordingEnvironment
from .service_name import attribute

_KEY = "service.instance.id"


def check(environment: RecordingEnvironment) -> Steps[None]:
    """Tell of an id that is given; metrics are exported."""
    if given := attribute(_KEY, environment):
        text = (
            f"{_KEY} is given: traces and logs of all processes have {message(given)}, metrics of each "
            f"{message(given)}-PID, with its own process id: under one id, workers would overwrite each "
            "other's sums"
        )
        advice = (
            "in queries that name it, match metrics by its beginning; without it each process has its own"
        )
        yield ok("instance-id", text, advice)
