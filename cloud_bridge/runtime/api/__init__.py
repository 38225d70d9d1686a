"""The administrative REST API and its process: `cloud run --only api`."""
