-- One row per listed product whose price history is to be bought, best first, and of how many; `asked_at` is NULL for
-- one that never was. What was refused or put aside is tried again after a day, then after two, four … thirty-two.
WITH
refused AS (
  SELECT domain_id, asin, last_missing AS refused_at, times
  FROM missing_product
  UNION ALL
  SELECT domain_id, item_id AS asin, max(observed_at) AS refused_at, count(*) AS times
  FROM quarantine
  WHERE kind = 'product' AND item_id IS NOT NULL
  GROUP BY domain_id, item_id
),

refusal AS (
  SELECT domain_id, asin, max(refused_at) AS refused_at, sum(times)::INTEGER AS times
  FROM refused
  GROUP BY domain_id, asin
),

eligible AS (
  SELECT
    deal.domain_id,
    deal.asin,
    greatest(product.observed_at, refusal.refused_at) AS asked_at,
    deal.sales_rank_drops_365_days,
    deal.used_drop_quarter_cents
  FROM deal
  LEFT JOIN product ON product.domain_id = deal.domain_id AND product.asin = deal.asin
  LEFT JOIN refusal ON refusal.domain_id = deal.domain_id AND refusal.asin = deal.asin
  WHERE
    deal.gone_at IS NULL
    AND (
      product.observed_at IS NULL
      OR (deal.last_update > product.observed_at AND product.observed_at <= $now - to_minutes($history_minutes))
    )
    AND (
      refusal.refused_at IS NULL
      OR refusal.refused_at < product.observed_at
      OR refusal.refused_at + to_days((2 ** least(refusal.times - 1, 5))::INTEGER) <= $now
    )
)

SELECT domain_id, asin, asked_at, count(*) OVER () AS pending
FROM eligible
ORDER BY
  asked_at IS NOT NULL,
  coalesce(sales_rank_drops_365_days, 0) >= 1 DESC,
  used_drop_quarter_cents DESC NULLS LAST,
  domain_id,
  asin
LIMIT $limit;
