-- One row per version of the query, kind and shard: the newest scan of a selection, and what came of all of them.
WITH
last_page AS (
  SELECT scan_id, max(deals) AS deals
  FROM scan_page
  WHERE page = 66
  GROUP BY scan_id
),

newest AS (
  SELECT
    scan.*,
    last_page.deals AS deals_on_last_page,
    count(*) OVER alike AS scans,
    count(scan.completed_at) OVER alike AS scans_completed,
    max(scan.completed_at) OVER alike AS last_completed_at,
    coalesce(bool_or(last_page.deals > 0) OVER alike, false) AS was_too_wide
  FROM scan
  LEFT JOIN last_page ON last_page.scan_id = scan.scan_id
  WHERE scan.selection = $selection
  WINDOW alike AS (PARTITION BY scan.selection_version, scan.kind, scan.shard)
  QUALIFY row_number() OVER (
    PARTITION BY scan.selection_version, scan.kind, scan.shard
    ORDER BY scan.server_from DESC, scan.scan_id DESC
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
  server_until,
  scans,
  scans_completed,
  last_completed_at,
  deals_on_last_page,
  was_too_wide,
  EXISTS (
    FROM recent_deal
    WHERE recent_deal.domain_id = newest.domain_id AND recent_deal.first_seen = newest.server_until
  ) AS found_new
FROM newest
ORDER BY selection_version, kind, shard;
