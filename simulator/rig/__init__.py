"""The outermost ring: everything at once on one machine. Nothing imports it."""
