"""The command ``spool``: what lies in a directory, sent to a real collector, deleted, beside real workers."""
