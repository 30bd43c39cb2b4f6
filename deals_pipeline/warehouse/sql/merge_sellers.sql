-- Newest answer wins, whatever the order of loading.
INSERT OR REPLACE INTO seller BY NAME
SELECT arriving.*
FROM arriving
LEFT JOIN seller AS stored ON stored.domain_id = arriving.domain_id AND stored.seller_id = arriving.seller_id
WHERE
  stored.seller_id IS NULL
  OR (arriving.observed_at, arriving.landed_file) > (stored.observed_at, stored.landed_file);
