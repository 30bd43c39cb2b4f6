-- Newest observation wins, whatever the order of loading; when it was seen is kept for merge_sightings.
INSERT OR REPLACE INTO target_table BY NAME
SELECT
  arriving.* REPLACE (
    coalesce(stored.first_seen, arriving.first_seen) AS first_seen,
    coalesce(stored.last_seen, arriving.last_seen) AS last_seen,
    CASE WHEN stored.asin IS NULL THEN arriving.last_seen_scan ELSE stored.last_seen_scan END AS last_seen_scan
  )
FROM arriving
LEFT JOIN target_table AS stored ON stored.domain_id = arriving.domain_id AND stored.asin = arriving.asin
WHERE
  stored.asin IS NULL
  OR (arriving.last_update, arriving.observed_at, arriving.landed_file)
  > (stored.last_update, stored.observed_at, stored.landed_file);
