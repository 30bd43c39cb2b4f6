-- One row per version of the query, kind and shard: the newest scan of a selection, and what came of all of them. The
-- order is by Keepa's clock, which no answer has more than a day ahead of ours.
WITH
last_page AS (
  SELECT scan_id, max(deals) AS deals
  FROM scan_page
  WHERE page = 66
  GROUP BY scan_id
),

cursor_page AS (
  SELECT
    scan_page.scan_id,
    arg_max(scan_page.last_sort_value, (scan_page.observed_at, scan_page.landed_file)) AS last_sort_value
  FROM scan_page
  JOIN scan ON scan.scan_id = scan_page.scan_id AND scan.next_page = scan_page.page + 1
  GROUP BY scan_page.scan_id
),

received AS (
  SELECT
    scan_page.scan_id,
    max(landed_file.received_at) AS received_at
  FROM scan_page
  JOIN landed_file ON landed_file.landed_file = scan_page.landed_file
  GROUP BY scan_page.scan_id
),

newest AS (
  SELECT
    scan.*,
    coalesce(received.received_at, scan.server_until) AS received_at,
    least(scan.server_from, received.received_at + INTERVAL 1 DAY) AS begun_at,
    last_page.deals AS deals_on_last_page,
    count(*) OVER alike AS scans,
    count(scan.completed_at) OVER alike AS scans_completed,
    arg_max(coalesce(received.received_at, scan.completed_at), begun_at)
      FILTER (WHERE scan.completed_at IS NOT NULL) OVER alike AS last_completed_at,
    max(begun_at) FILTER (WHERE scan.completed_at IS NOT NULL) OVER alike AS last_completed_from,
    cursor_page.last_sort_value,
    coalesce(bool_or(last_page.deals > 0) OVER alike, false) AS was_too_wide
  FROM scan
  LEFT JOIN last_page ON last_page.scan_id = scan.scan_id
  LEFT JOIN cursor_page ON cursor_page.scan_id = scan.scan_id
  LEFT JOIN received ON received.scan_id = scan.scan_id
  WHERE scan.selection = $selection
  WINDOW alike AS (PARTITION BY scan.selection_version, scan.kind, scan.shard)
  QUALIFY row_number() OVER (
    PARTITION BY scan.selection_version, scan.kind, scan.shard
    ORDER BY begun_at DESC, scan.scan_id DESC
  ) = 1
)

SELECT
  selection_version,
  kind,
  shard,
  started_at,
  next_page,
  pages,
  completed_at,
  is_truncated,
  is_in_order,
  deals,
  server_from,
  received_at,
  scans,
  scans_completed,
  last_completed_at,
  last_completed_from,
  last_sort_value,
  deals_on_last_page,
  was_too_wide
FROM newest
ORDER BY selection_version, kind, shard;
