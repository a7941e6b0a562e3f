"""Batches on disk (K7, K8, K9, K13 of the design): real directories, real processes, files of any content."""
