-- Any sighting counts, whether or not its observation is the newest.
UPDATE target_table AS stored
SET
  first_seen = least(stored.first_seen, arriving.first_seen),
  last_seen = greatest(stored.last_seen, arriving.last_seen),
  last_seen_scan = CASE
    WHEN (arriving.last_seen, coalesce(arriving.last_seen_scan, ''))
      > (stored.last_seen, coalesce(stored.last_seen_scan, ''))
      THEN arriving.last_seen_scan
    ELSE stored.last_seen_scan
  END
FROM arriving
WHERE stored.domain_id = arriving.domain_id AND stored.asin = arriving.asin;
