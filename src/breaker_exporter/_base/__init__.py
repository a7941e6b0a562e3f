"""Values, argument checks, the log, redaction: every part may import these, and they import no other part."""
