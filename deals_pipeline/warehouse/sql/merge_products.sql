-- Newest answer wins, whatever the order of loading.
INSERT OR REPLACE INTO target_table BY NAME
SELECT arriving.*
FROM arriving
LEFT JOIN target_table AS stored ON stored.domain_id = arriving.domain_id AND stored.asin = arriving.asin
WHERE
  stored.asin IS NULL
  OR (arriving.observed_at, arriving.landed_file) > (stored.observed_at, stored.landed_file);
