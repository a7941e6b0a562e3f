"""Retention on disk (K7 to K13 of the design): what is written, who replays it, and that the sums agree."""
