"""The warehouse: a DuckDB file of typed tables, each loaded from landed answers alone and made again from them."""
