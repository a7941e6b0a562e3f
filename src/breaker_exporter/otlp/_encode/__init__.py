"""From spans to the bytes of an OTLP request, in slices. Knows no transport."""
