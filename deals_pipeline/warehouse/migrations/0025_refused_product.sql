-- One row per marketplace and ASIN that did not come when it was asked for, or was put aside: it is worth another try
-- after as long as it has not come, one day to thirty-two.
CREATE VIEW refused_product AS
WITH
refused AS (
  SELECT domain_id, asin, first_missing AS first_refused, last_missing AS refused_at
  FROM missing_product
  UNION ALL
  SELECT domain_id, item_id AS asin, min(observed_at) AS first_refused, max(observed_at) AS refused_at
  FROM quarantine
  WHERE kind = 'product' AND item_id IS NOT NULL
  GROUP BY domain_id, item_id
)

SELECT
  refused.domain_id, -- marketplace, as on the wire
  refused.asin, -- Amazon's id of the product
  max(refused.refused_at) AS refused_at, -- Keepa's clock, UTC; an older one than what came since is past
  max(refused.refused_at)
  + least(
    greatest(
      max(refused.refused_at) - greatest(min(refused.first_refused), any_value(product.observed_at)),
      INTERVAL 1 DAY
    ),
    INTERVAL 32 DAYS
  ) AS retry_at -- when to try again, UTC
FROM refused
LEFT JOIN product ON product.domain_id = refused.domain_id AND product.asin = refused.asin
GROUP BY refused.domain_id, refused.asin;
