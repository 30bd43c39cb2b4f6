"""Every asset, check, job, schedule, sensor and resource of the pipeline, wired by name."""

import dagster as dg

defs = dg.Definitions()
