DELETE FROM target_table AS stored
USING arriving
WHERE stored.domain_id = arriving.domain_id AND stored.asin = arriving.asin AND arriving.is_newest;
