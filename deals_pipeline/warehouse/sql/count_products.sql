-- How many of the arriving rows are not stored at all, and of how many only an older state is.
SELECT
  count(*) FILTER (WHERE stored.asin IS NULL) AS rows_new,
  count(*) FILTER (WHERE arriving.last_update > stored.last_update) AS rows_updated
FROM arriving
LEFT JOIN product AS stored ON stored.domain_id = arriving.domain_id AND stored.asin = arriving.asin;
