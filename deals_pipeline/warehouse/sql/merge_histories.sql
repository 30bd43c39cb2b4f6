-- The newest of those that reach farthest back wins, whatever the order of loading: a history is never shortened.
INSERT OR REPLACE INTO price_history BY NAME
WITH
observed AS (
  SELECT
    arriving.*,
    $days::INTEGER AS days,
    $observed_at::TIMESTAMPTZ AS observed_at,
    $landed_file AS landed_file,
    $code_version AS code_version
  FROM arriving
)

SELECT observed.*
FROM observed
LEFT JOIN price_history AS stored
  ON stored.domain_id = observed.domain_id
  AND stored.asin = observed.asin
  AND stored.price_type = observed.price_type
WHERE
  stored.asin IS NULL
  OR (coalesce(observed.days, 2147483647), observed.observed_at, observed.landed_file)
  > (coalesce(stored.days, 2147483647), stored.observed_at, stored.landed_file);
