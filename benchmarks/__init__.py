"""Measurements of what exporting costs: contenders in turn under the same load, ratios within a round."""
