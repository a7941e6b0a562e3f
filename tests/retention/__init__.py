"""Retention (K of the design): what is kept, what comes back, and that every item is accounted for."""
