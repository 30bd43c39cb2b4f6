-- One row: how many deals there are, how many of a time that lies too far ahead of Keepa's own clock, and one of them.
WITH
ahead AS (
  SELECT asin, greatest(created_at, last_update) - observed_at AS lead
  FROM deal
)

SELECT
  count(*) AS deals,
  count(*) FILTER (WHERE lead > $tolerance) AS deals_ahead,
  greatest(max(epoch(lead)), 0)::INTEGER AS ahead_seconds_max,
  min(asin) FILTER (WHERE lead > $tolerance) AS example
FROM ahead;
