-- Newest answer wins, whatever the order of loading.
DELETE FROM target_table AS stored
USING arriving
WHERE
  stored.domain_id = arriving.domain_id
  AND stored.asin = arriving.asin
  AND (stored.observed_at, stored.landed_file) < (arriving.observed_at, arriving.landed_file);
