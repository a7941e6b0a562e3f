"""Django's settings, which initialise Sentry: the hooks attach to it, and leave its options as they are."""

from __future__ import annotations

import os

import sentry_sdk
from sentry_sdk.integrations.otlp import OTLPIntegration
from sentry_sdk.types import Event, Hint

ROOT_URLCONF = "urls"
ALLOWED_HOSTS = ["*"]
SECRET_KEY = "an example"
DEBUG = False


def without_cookies(event: Event, hint: Hint) -> Event:
    """Remove the cookies from an event, as an option of your own may do."""
    event.get("request", {}).pop("cookies", None)
    return event


sentry_sdk.init(
    dsn=os.environ.get("SENTRY_DSN"),
    before_send=without_cookies,
    integrations=[OTLPIntegration(setup_otlp_traces_exporter=False, setup_propagator=False)],
)
