"""Installs the built wheel with each extra alone, and boots what the extra is for: ``make extras``."""
