-- One row per version of a watched selection: its newest scan, and how many of its pages contradict the order that was
-- asked for. A page does that by itself, or by beginning before the page before it; that it begins before that one's end
-- is no contradiction: deals that are found between two calls shift all others towards later pages (D4).
WITH
newest AS (
  SELECT selection_version, scan_id
  FROM scan
  WHERE selection_version IN (SELECT unnest($versions::VARCHAR[])) AND kind <> 'shard'
  QUALIFY row_number() OVER (PARTITION BY selection_version ORDER BY server_from DESC, scan_id DESC) = 1
),

page_once AS (
  SELECT newest.selection_version, scan_page.*
  FROM scan_page
  JOIN newest ON newest.scan_id = scan_page.scan_id
  QUALIFY row_number() OVER (
    PARTITION BY scan_page.scan_id, scan_page.page
    ORDER BY scan_page.observed_at DESC, scan_page.landed_file DESC
  ) = 1
),

page_judged AS (
  SELECT
    selection_version,
    is_in_order AND coalesce(first_sort_value >= lag(first_sort_value) OVER (PARTITION BY scan_id ORDER BY page), true)
      AS is_in_order
  FROM page_once
)

SELECT selection_version, count(*) AS pages, count(*) FILTER (WHERE NOT is_in_order) AS out_of_order
FROM page_judged
GROUP BY selection_version
ORDER BY selection_version;
