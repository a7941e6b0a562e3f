"""The ``service.instance.id``: each process has its own for its metrics, others keep the one given (L6).

Two workers that count under one id overwrite each other's sums.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable
from functools import partial

from opentelemetry.sdk import resources
from opentelemetry.sdk.resources import OTELResourceDetector, Resource

from .._base.log import say
from .._base.redaction import message

_KEY = "service.instance.id"


def of_one_process(resource: Resource) -> Resource:
    """`resource` with an id that this process has alone.

    One that was given has the process's id behind it, which one INFO line says. One that the SDK has made for
    this process is kept, and without any a new one is made.
    """
    found = resource.attributes.get(_KEY)
    # In a forked child, the SDK replaces the id of a provider from before the fork, be it given.
    given = OTELResourceDetector().detect().attributes.get(_KEY)
    if not given and found != _made_for_process():
        given = found
    if not given:
        return resource if found else resource.merge(Resource({_KEY: str(uuid.uuid4())}))
    own = f"{given}-{os.getpid()}"
    say(
        logging.INFO,
        "metrics of this process have the service.instance.id %s: processes that share one would overwrite "
        "each other's sums",
        message(own),
    )
    return resource.merge(Resource({_KEY: own}))


def with_given() -> Callable[[Resource], Resource] | None:
    """Return how a resource gets the id of the environment back, in a child too; ``None``: that gives none.

    For exporters of spans and log records: the SDK's handler that replaces the id in a child runs after any
    of ours, and on providers of others too.
    """
    given = OTELResourceDetector().detect().attributes.get(_KEY)
    return partial(_with_id, str(given)) if given else None


def _with_id(given: str, resource: Resource) -> Resource:
    is_replaced = resource.attributes.get(_KEY) == _made_for_process()
    return resource.merge(Resource({_KEY: given})) if is_replaced else resource


# A private method, with a test: it came with the handler that replaces the id (1.44).
def keep_given(provider: object, given: object) -> None:
    """Give a provider that was made before a fork the id back that the SDK has replaced in the child.

    Args:
        provider: A tracer provider that was made here.
        given: The id that was given in code; ``None``: the environment may have one.
    """
    given = given or OTELResourceDetector().detect().attributes.get(_KEY)
    update = getattr(provider, "_update_resource", None)
    if given and update is not None:
        update(Resource({_KEY: str(given)}))


def _made_for_process() -> object:
    """The id that the SDK makes for each process, from 1.43 on."""
    detector = getattr(resources, "ServiceInstanceIdResourceDetector", None)
    return detector and detector().detect().attributes.get(_KEY)
