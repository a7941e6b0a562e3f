"""The fault matrix: every fault by every way of running, on real processes (``make faults``)."""
