-- What is stored of a deal gives way to a newer observation.
DELETE FROM target_table AS stored
USING arriving
WHERE stored.domain_id = arriving.domain_id AND stored.asin = arriving.asin AND arriving.is_newest;
