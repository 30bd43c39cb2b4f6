-- Times are shown in UTC wherever this runs.
SET TimeZone = 'UTC';

-- Of unnested lists DuckDB guesses far too few rows, and would loop over all pairs where an ASOF join is asked for.
SET asof_loop_join_threshold = 0;
