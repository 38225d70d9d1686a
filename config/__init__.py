"""Text to typed settings, the command line's root, logging, and commented example files."""
