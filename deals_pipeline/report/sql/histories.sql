-- One row per deal of the report and price type, in order: its history of three years as a chart can show it, beginning
-- with what held then. Up to 150 records are told each; of more, the lowest, the highest and the last of each of 32 spans.
-- Days since 1970, UTC.
WITH
history AS (
  SELECT
    report_deal.position,
    price_history.price_type,
    epoch(price_history.observed_at - INTERVAL 1095 DAY) AS since,
    list_transform(price_history.times, lambda recorded_at: epoch(recorded_at)) AS records,
    price_history."values",
    len(list_filter(records, lambda recorded_at: recorded_at > since)) > 150 AS is_thinned
  FROM report_deal
  JOIN price_history ON price_history.domain_id = report_deal.domain_id AND price_history.asin = report_deal.asin
  WHERE price_history.price_type IN (0, 2, 3, 12)
),

point AS (
  SELECT position, price_type, since, is_thinned, unnest(records) AS recorded_at, unnest("values") AS "value"
  FROM history
),

span AS (
  SELECT
    position,
    price_type,
    CASE
      WHEN recorded_at <= since THEN -1
      WHEN is_thinned THEN floor(32 * (recorded_at - since) / (1095 * 86400))
      ELSE recorded_at
    END AS span,
    any_value(since) AS since,
    arg_min(recorded_at, "value") AS lowest_at,
    min("value") AS lowest,
    arg_max(recorded_at, "value") AS highest_at,
    max("value") AS highest,
    max(recorded_at) AS last_at,
    arg_max_null("value", recorded_at) AS "last"
  FROM point
  GROUP BY position, price_type, span
),

thinned AS (
  SELECT DISTINCT
    position,
    price_type,
    unnest(if(span = -1, [since], [lowest_at, highest_at, last_at])) AS recorded_at,
    unnest(if(span = -1, ["last"], [lowest, highest, "last"])) AS "value"
  FROM span
)

SELECT
  position,
  price_type,
  list(floor(recorded_at / 86400)::INTEGER ORDER BY recorded_at) AS days,
  list("value" ORDER BY recorded_at) AS "values"
FROM thinned
WHERE recorded_at IS NOT NULL
GROUP BY position, price_type
ORDER BY position, price_type;
