-- One row per head scan of a version of a selection since a time that came in order: when it began, by Keepa's clock,
-- which no answer has more than a day ahead of ours, and its oldest deal.
SELECT
  least(scan.server_from, max(landed_file.received_at) + INTERVAL 1 DAY) AS begun_at,
  arg_max(scan_page.last_sort_value, (scan_page.observed_at, scan_page.landed_file)) AS last_sort_value
FROM scan
JOIN scan_page ON scan_page.scan_id = scan.scan_id AND scan_page.page = scan.next_page - 1
LEFT JOIN landed_file ON landed_file.landed_file = scan_page.landed_file
WHERE
  scan.selection = $selection
  AND scan.selection_version = $version
  AND scan.kind = 'head'
  AND scan.is_in_order
  AND scan.server_from > $since
GROUP BY scan.scan_id, scan.server_from
HAVING last_sort_value IS NOT NULL
ORDER BY begun_at;
