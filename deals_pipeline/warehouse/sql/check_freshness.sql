-- One row: when a watched deal was last seen and last changed, when the watched selections were last read to their end
-- (the one furthest behind too, unless one never was), and when the first answer came.
WITH
last_complete AS (
  SELECT watched.selection_version, max(scan.completed_at) AS completed_at
  FROM (SELECT unnest($versions::VARCHAR[]) AS selection_version) AS watched
  LEFT JOIN scan ON scan.selection_version = watched.selection_version AND scan.kind <> 'shard'
  GROUP BY watched.selection_version
)

SELECT
  (SELECT max(last_seen) FROM recent_deal) AS last_seen,
  (SELECT max(last_update) FROM recent_deal) AS last_update,
  (SELECT max(completed_at) FROM last_complete) AS last_complete,
  (SELECT CASE WHEN bool_and(completed_at IS NOT NULL) THEN min(completed_at) END FROM last_complete)
    AS oldest_complete,
  (SELECT min(received_at) FROM landed_file) AS first_answer;
