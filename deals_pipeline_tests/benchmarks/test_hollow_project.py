"""What the benchmark of overhead compares with has the shape of the main job."""

import dagster as dg
from dagster._core.definitions.dependency import NodeHandle

from benchmarks.hollow_project import defs as hollow
from deals_pipeline.definitions import defs


def steps(definitions: dg.Definitions, job: str) -> list[tuple[int, int]]:
    """Return how many assets and how many checks each step of a job has."""
    resolved = definitions.resolve_job_def(job)
    keys = [
        resolved.asset_layer.get_selected_entity_keys_for_node(NodeHandle(node.name, None)) for node in resolved.nodes
    ]
    return sorted((sum(isinstance(key, dg.AssetKey) for key in each), len(each)) for each in map(set, keys))


def test_the_hollow_job_has_as_many_steps_assets_and_checks_as_the_main_job() -> None:
    assert len(steps(defs, "refresh_job")) > 1
    assert steps(hollow, "hollow_job") == steps(defs, "refresh_job")
