"""Writes the tables of docs/reference that say what the code declares: ``make reference``."""
