"""Circuits that several exporters of one backend share (L7)."""
