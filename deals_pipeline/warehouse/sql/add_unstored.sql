INSERT INTO target_table BY NAME
SELECT arriving.*
FROM arriving
ANTI JOIN target_table AS stored ON stored.domain_id = arriving.domain_id AND stored.asin = arriving.asin;
