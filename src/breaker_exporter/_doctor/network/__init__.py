"""Findings about the way to the collector and to Sentry: proxy, name, TCP, TLS, request and answer."""
