"""``python -m breaker_exporter demo``: two real services through one outage, side by side.

Gunicorn's arbiter imports modules of this package before gevent's monkey patch: nothing is loaded here.
"""
