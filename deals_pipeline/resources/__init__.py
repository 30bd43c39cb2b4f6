"""Dagster resources: thin shells round what knows nothing of Dagster."""
