"""A tracking server for a team: PostgreSQL, an object store and MLflow with accounts."""
