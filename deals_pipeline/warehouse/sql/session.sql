-- Times are shown in UTC wherever this runs.
SET TimeZone = 'UTC';

-- Of unnested lists DuckDB guesses far too few rows, and would loop over all pairs where an ASOF join is asked for.
SET asof_loop_join_threshold = 0;

-- Most statements take milliseconds: threads that wait for each other make them slower, and larger in memory.
SET threads = 1;

-- A large answer goes to its place at once, not by way of the log, which would hold it in memory a second time.
SET wal_autocheckpoint = '1MB';

-- Where DuckDB takes a process for somebody's terminal it draws into its output, among what it has to say.
SET enable_progress_bar = false;
