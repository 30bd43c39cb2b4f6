-- One row: how many deals the pages of a scan listed, how many of these are stored as seen then or later, and one that
-- is not.
WITH
listing AS (
  SELECT unnest($asins::VARCHAR[]) AS asin, unnest($times::TIMESTAMPTZ[]) AS listed_at
),

listed AS (
  SELECT asin, max(listed_at) AS listed_at
  FROM listing
  GROUP BY asin
),

found AS (
  SELECT listed.asin, coalesce(recent_deal.last_seen >= listed.listed_at, false) AS is_stored
  FROM listed
  LEFT JOIN recent_deal ON recent_deal.domain_id = $domain_id AND recent_deal.asin = listed.asin
)

SELECT
  count(*) AS listed,
  count(*) FILTER (WHERE is_stored) AS stored,
  min(asin) FILTER (WHERE NOT is_stored) AS example
FROM found;
