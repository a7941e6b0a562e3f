"""Single steps, timed by pytest-benchmark."""
