-- One row per landed page of the newest complete scan of a version of a watched selection.
WITH
newest AS (
  SELECT scan_id
  FROM scan
  WHERE selection_version = $version AND kind <> 'shard' AND completed_at IS NOT NULL
  ORDER BY completed_at DESC, scan_id DESC
  LIMIT 1
)

SELECT scan_page.landed_file
FROM scan_page
JOIN newest ON newest.scan_id = scan_page.scan_id
ORDER BY scan_page.landed_file;
