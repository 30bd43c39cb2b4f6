-- The newest scan of a selection in its present version: where to go on, if it is not complete.
SELECT started_at, next_page, pages, completed_at, is_truncated, is_in_order, deals, server_from, server_until
FROM scan
WHERE
  selection = $selection
  AND selection_version = $selection_version
  AND kind = $kind
  AND shard IS NOT DISTINCT FROM $shard
ORDER BY server_from DESC, scan_id DESC
LIMIT 1;
