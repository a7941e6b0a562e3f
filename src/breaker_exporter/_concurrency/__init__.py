"""Threads, greenlets, forks: the only folder that knows gevent."""
