"""Notices on their way to people: a channel is one small module."""
