"""What is wrong with the telemetry as it is set up here: ``python -m breaker_exporter doctor``."""
