"""A Flask service with traces and errors. It knows neither Sentry nor the collector."""

from __future__ import annotations

from flask import Flask
from opentelemetry.instrumentation.flask import FlaskInstrumentor

app = Flask("shop")
FlaskInstrumentor().instrument_app(app)


@app.get("/")
def sell() -> str:
    return "sold\n"


@app.get("/broken")
def break_down() -> str:
    raise RuntimeError("out of stock")
