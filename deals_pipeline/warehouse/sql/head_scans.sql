-- One row per head scan of a version of a selection since a time that came in order: when it began, its oldest deal.
SELECT
  scan.server_from,
  arg_max(scan_page.last_sort_value, (scan_page.observed_at, scan_page.landed_file)) AS last_sort_value
FROM scan
JOIN scan_page ON scan_page.scan_id = scan.scan_id AND scan_page.page = scan.next_page - 1
WHERE
  scan.selection = $selection
  AND scan.selection_version = $version
  AND scan.kind = 'head'
  AND scan.is_in_order
  AND scan.server_from > $since
GROUP BY scan.scan_id, scan.server_from
HAVING last_sort_value IS NOT NULL
ORDER BY scan.server_from;
