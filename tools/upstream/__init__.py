"""Runs OpenTelemetry's own tests of exporters and processors with ours in place: ``make upstream``."""
