"""Faults of the disk that batches are kept on, and what became of each span."""
