from deals_pipeline_tests.warehouse.conftest import migrated

__all__ = ["migrated"]
