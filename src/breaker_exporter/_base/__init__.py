"""What every part may import: values, argument checks, the log, redaction. It imports no other part."""
