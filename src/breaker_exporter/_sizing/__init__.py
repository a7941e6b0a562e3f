"""The command ``python -m breaker_exporter retention``: the memory that an outage takes."""
