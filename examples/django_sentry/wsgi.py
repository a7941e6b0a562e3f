"""The WSGI application that Gunicorn serves."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application
from opentelemetry.instrumentation.django import DjangoInstrumentor

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
DjangoInstrumentor().instrument()  # before Django builds its middleware
application = get_wsgi_application()
