"""The alerts role: queue to alerts to notices, `cloud run --only alerts`."""
