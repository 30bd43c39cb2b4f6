-- Newest answer wins, whatever the order of loading; when the first and the newest with offers came is of all answers.
INSERT OR REPLACE INTO offer_snapshot BY NAME
WITH
answer AS (
  SELECT *
  FROM arriving
  UNION ALL BY NAME
  SELECT stored.*
  FROM offer_snapshot AS stored
  SEMI JOIN arriving ON arriving.domain_id = stored.domain_id AND arriving.asin = stored.asin
)

SELECT
  * REPLACE (min(first_observed) OVER product AS first_observed, max(live_at) OVER product AS live_at)
FROM answer
WINDOW product AS (PARTITION BY domain_id, asin)
QUALIFY row_number() OVER (PARTITION BY domain_id, asin ORDER BY observed_at DESC, landed_file DESC) = 1;
