-- One row: how many deals the view shows, how many rows beyond the first of each, and one that has some.
WITH
shown AS (
  SELECT domain_id, asin, count(*) AS times
  FROM deal
  GROUP BY domain_id, asin
)

SELECT
  count(*) AS deals,
  coalesce(sum(times - 1), 0) AS rows_too_many,
  min(asin) FILTER (WHERE times > 1) AS example
FROM shown;
