-- The rows of offer_drop for the products in `batch`, which has none of them.
INSERT INTO offer_drop BY NAME
WITH
listed AS (
  SELECT
    batch.product,
    history.price_type,
    batch.as_of,
    unnest(history.times) AS "time",
    unnest(history."values") AS "value",
    generate_subscripts(history.times, 1) AS position
  FROM batch
  JOIN price_history AS history ON history.domain_id = batch.domain_id AND history.asin = batch.asin
  WHERE history.price_type IN (2, 3, 12)
),

recent AS (
  SELECT product, price_type, "time", arg_max_null("value", position) AS "value"
  FROM listed
  WHERE "time" >= as_of - INTERVAL 1095 DAYS
  GROUP BY product, price_type, "time"
),

record AS (
  SELECT
    *,
    lag("time") OVER in_order AS time_before,
    lag("value") OVER in_order AS value_before
  FROM recent
  WINDOW in_order AS (PARTITION BY product, price_type ORDER BY "time")
),

fallen AS (
  SELECT * FROM record WHERE price_type = 12 AND "value" < value_before
),

improved AS (
  SELECT * FROM record WHERE price_type = 3 AND "value" < value_before
),

-- One improvement looks at the nearest drop before it, and confirms that one or none.
explained AS (
  SELECT
    fallen.product,
    fallen."time" AS dropped_at,
    improved."time" AS confirmed_at,
    CASE
      WHEN improved."time" <= fallen."time" + INTERVAL 240 HOURS THEN 'rank'
      WHEN improved."time" <= fallen."time" + INTERVAL 30 DAYS AND improved.time_before <= fallen."time" THEN 'sparse'
    END AS confirmed_by
  FROM improved
  ASOF JOIN fallen ON improved.product = fallen.product AND improved."time" >= fallen."time"
),

sale AS (
  SELECT
    product,
    dropped_at,
    min(confirmed_at) AS confirmed_at,
    arg_min(confirmed_by, confirmed_at) AS confirmed_by
  FROM explained
  WHERE confirmed_by IS NOT NULL
  GROUP BY product, dropped_at
),

used_price AS (
  SELECT product, "time", "value" FROM record WHERE price_type = 2 AND "value" > 0
),

priced AS (
  SELECT sale.*, used_price."value" AS sale_price
  FROM sale
  ASOF LEFT JOIN used_price ON sale.product = used_price.product AND sale.dropped_at >= used_price."time"
),

spread AS (
  SELECT
    product,
    count(sale_price) AS prices,
    quantile_cont(sale_price, 0.25) AS lower_quartile,
    median(sale_price) AS middle,
    quantile_cont(sale_price, 0.75) AS upper_quartile
  FROM priced
  GROUP BY product
),

judged AS (
  SELECT
    priced.*,
    CASE
      WHEN priced.sale_price IS NULL THEN NULL
      WHEN spread.prices >= 4
        THEN priced.sale_price
          BETWEEN spread.lower_quartile - 1.5 * (spread.upper_quartile - spread.lower_quartile)
          AND spread.upper_quartile + 1.5 * (spread.upper_quartile - spread.lower_quartile)
      WHEN spread.prices = 3 THEN priced.sale_price <= 3 * spread.middle
      ELSE true
    END AS is_sane
  FROM priced
  JOIN spread ON spread.product = priced.product
)

SELECT
  batch.domain_id,
  batch.asin,
  fallen."time" AS dropped_at,
  fallen.value_before AS used_offers_before,
  fallen."value" AS used_offers_after,
  judged.confirmed_at,
  judged.confirmed_by,
  judged.sale_price,
  judged.is_sane
FROM fallen
JOIN batch ON batch.product = fallen.product
LEFT JOIN judged ON judged.product = fallen.product AND judged.dropped_at = fallen."time";
