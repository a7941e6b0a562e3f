"""The command ``python -m breaker_exporter spool``: what lies in a directory, delivered or deleted."""
