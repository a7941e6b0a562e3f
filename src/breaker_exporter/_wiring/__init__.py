"""From the environment and arguments to providers, processors and exporters."""
