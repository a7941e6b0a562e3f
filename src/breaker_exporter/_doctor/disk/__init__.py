"""Findings about the directory of retention: who may use it, what it lies on, its room, what is left."""
