"""A Dagster pipeline that turns Keepa API tokens into a fresh table of Amazon deals."""

__version__ = "0.3.0"
