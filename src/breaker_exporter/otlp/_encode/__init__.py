"""From spans, log records and metrics to the bytes of an OTLP request, in slices. Knows no transport."""
