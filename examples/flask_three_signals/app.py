"""A Flask service that traces, logs and counts. It knows neither the collector nor the circuit breakers."""

from __future__ import annotations

import logging

from flask import Flask
from opentelemetry import metrics
from opentelemetry.instrumentation.flask import FlaskInstrumentor

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
log = logging.getLogger("shop")
sold = metrics.get_meter("shop").create_counter("sold", unit="{item}", description="Items sold")

app = Flask("shop")
FlaskInstrumentor().instrument_app(app)


@app.get("/")
def sell() -> str:
    sold.add(1)
    log.info("sold one")
    return "sold\n"
