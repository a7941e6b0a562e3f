"""Findings about settings: variables, arguments given in code, and the table of values in force."""
