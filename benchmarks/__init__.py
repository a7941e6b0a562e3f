"""What exporting costs a service: every contender in turn under the same load, ratios within one round."""
