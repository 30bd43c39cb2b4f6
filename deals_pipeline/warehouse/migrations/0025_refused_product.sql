-- One row per marketplace and ASIN that did not come when it was asked for, or was put aside: it is worth another try
-- after a day, then after two, four … thirty-two.
CREATE VIEW refused_product AS
WITH
refused AS (
  SELECT domain_id, asin, last_missing AS refused_at, times
  FROM missing_product
  UNION ALL
  SELECT domain_id, item_id AS asin, max(observed_at) AS refused_at, count(*) AS times
  FROM quarantine
  WHERE kind = 'product' AND item_id IS NOT NULL
  GROUP BY domain_id, item_id
)

SELECT
  domain_id, -- marketplace, as on the wire
  asin, -- Amazon's id of the product
  max(refused_at) AS refused_at, -- Keepa's clock at the newest refusal, UTC; an older one than what came since is past
  max(refused_at) + to_days((2 ** least(sum(times) - 1, 5))::INTEGER) AS retry_at -- when to try again, UTC
FROM refused
GROUP BY domain_id, asin;
