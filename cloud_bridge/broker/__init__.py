"""The embedded broker: its rules here, what acts in runtime/."""
