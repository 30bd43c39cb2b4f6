-- Where what is stored stands, it takes over all sightings so far.
UPDATE target_table AS stored
SET
  first_seen = arriving.first_seen,
  last_seen = arriving.last_seen,
  last_seen_scan = arriving.last_seen_scan
FROM arriving
WHERE stored.domain_id = arriving.domain_id AND stored.asin = arriving.asin AND NOT arriving.is_newest;
