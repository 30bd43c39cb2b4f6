-- One row per listed product whose price history is to be bought, best first, and of how many; `asked_at` is NULL for
-- one that never was. Only what the page does not reject: that costs nothing (F40). What is there already is bought again
-- when it has moved and its planned time is past (F37). Marketplaces take turns: amounts in two currencies do not
-- compare.
WITH
eligible AS (
  SELECT
    page.domain_id,
    page.asin,
    greatest(product.observed_at, refused.refused_at) AS asked_at,
    page.highest_average - page.used_cents AS gain,
    metrics.expected_profit
  FROM page_screening AS page
  LEFT JOIN product ON product.domain_id = page.domain_id AND product.asin = page.asin
  LEFT JOIN refused_product AS refused ON refused.domain_id = page.domain_id AND refused.asin = page.asin
  LEFT JOIN deal_metrics AS metrics
    ON metrics.domain_id = page.domain_id
    AND metrics.asin = page.asin
    AND metrics.history_observed_at = product.observed_at
  WHERE
    page.gone_at IS NULL
    AND page.rejected_because IS NULL
    AND (
      product.observed_at IS NULL
      OR (
        page.last_update > product.observed_at
        AND product.observed_at <= $now - to_minutes(
          CASE WHEN metrics.asin IS NULL THEN $history_minutes ELSE metrics.refresh_minutes END
        )
      )
    )
    AND (refused.retry_at IS NULL OR refused.refused_at < product.observed_at OR refused.retry_at <= $now)
)

SELECT domain_id, asin, asked_at, count(*) OVER () AS pending
FROM eligible
ORDER BY
  asked_at IS NOT NULL,
  row_number() OVER (
    PARTITION BY domain_id, asked_at IS NOT NULL
    ORDER BY expected_profit DESC NULLS LAST, gain DESC, asin
  ),
  domain_id
LIMIT $limit;
