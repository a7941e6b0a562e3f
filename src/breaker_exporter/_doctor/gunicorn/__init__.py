"""Findings about Gunicorn's configuration: worker class, hooks, their order, and the time for stopping."""
