"""Batches of one exporter on disk, shared by all processes of a host: bytes and counts, in and out."""
