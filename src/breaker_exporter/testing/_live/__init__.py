"""The live table of what arrives, on a terminal; needs ``rich``, and is loaded by ``__main__`` alone."""
