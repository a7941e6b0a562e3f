"""The Gunicorn service that is measured."""
