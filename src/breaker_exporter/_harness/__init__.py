"""Load, processes and meter: the demo, the benchmarks and the fault matrix measure services with them.

Gunicorn's arbiter imports modules of this package before gevent's monkey patch: nothing is loaded here.
"""
