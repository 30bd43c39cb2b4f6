-- The arriving deals with all their sightings so far, and which of them are to stand: the newest observation wins,
-- whatever the order of loading, and any sighting counts.
SELECT
  arriving.* REPLACE (
    least(arriving.first_seen, stored.first_seen) AS first_seen,
    greatest(arriving.last_seen, stored.last_seen) AS last_seen,
    CASE
      WHEN stored.asin IS NULL
        OR (arriving.last_seen, coalesce(arriving.last_seen_scan, ''))
        > (stored.last_seen, coalesce(stored.last_seen_scan, ''))
        THEN arriving.last_seen_scan
      ELSE stored.last_seen_scan
    END AS last_seen_scan
  ),
  stored.asin IS NULL AS is_new,
  coalesce(arriving.last_update > stored.last_update, false) AS is_updated,
  stored.asin IS NULL
  OR (arriving.last_update, arriving.observed_at, arriving.landed_file)
  > (stored.last_update, stored.observed_at, stored.landed_file) AS is_newest
FROM arriving
LEFT JOIN target_table AS stored ON stored.domain_id = arriving.domain_id AND stored.asin = arriving.asin;
