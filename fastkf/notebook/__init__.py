"""A Kale notebook: read it, check it, compile it."""
