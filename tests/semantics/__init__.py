"""The numbered semantics of design.md, each proved from the outside."""
