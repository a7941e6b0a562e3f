"""Collectors and exporters that others have made."""
