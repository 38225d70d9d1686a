"""The telemetry database: what gateways said, for good. SQLite in WAL mode, so that reading never blocks."""
