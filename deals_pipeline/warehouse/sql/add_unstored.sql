-- The arriving rows whose product has none: what they outdo is gone by now.
INSERT INTO target_table BY NAME
SELECT arriving.*
FROM arriving
ANTI JOIN target_table AS stored ON stored.domain_id = arriving.domain_id AND stored.asin = arriving.asin;
