from deals_pipeline_tests.warehouse.conftest import migrated, path, warehouse

__all__ = ["migrated", "path", "warehouse"]
