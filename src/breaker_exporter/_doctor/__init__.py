"""Finds mistakes in the set-up of the telemetry: ``python -m breaker_exporter doctor``."""
