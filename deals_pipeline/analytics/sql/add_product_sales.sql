-- The rows of product_sales for the products in `batch`, which has none of them; their rows of offer_drop are there.
INSERT INTO product_sales BY NAME
WITH
fallen AS (
  SELECT batch.product, batch.as_of, offer_drop.*
  FROM batch
  JOIN offer_drop ON offer_drop.domain_id = batch.domain_id AND offer_drop.asin = batch.asin
),

counted AS (
  SELECT
    product,
    count(*) AS offer_drops,
    count(confirmed_at) AS sales,
    count(confirmed_at) FILTER (WHERE dropped_at >= as_of - INTERVAL 365 DAYS) AS sales_365_days
  FROM fallen
  GROUP BY product
),

sane AS (
  SELECT
    product,
    sale_price,
    month(dropped_at) AS calendar_month,
    dropped_at >= as_of - INTERVAL 365 DAYS AS is_of_last_year
  FROM fallen
  WHERE is_sane
),

overall AS (
  SELECT
    product,
    count(*) AS sane_prices,
    rounded(median(sale_price)) AS middle,
    sum(sale_price) FILTER (WHERE is_of_last_year) AS year_total,
    count(*) FILTER (WHERE is_of_last_year) AS year_count
  FROM sane
  GROUP BY product
),

monthly AS (
  SELECT product, calendar_month, count(*) AS sales, median(sale_price) AS middle
  FROM sane
  GROUP BY product, calendar_month
),

peak AS (
  SELECT product, calendar_month, middle
  FROM monthly
  WHERE sales >= 2
  QUALIFY row_number() OVER (PARTITION BY product ORDER BY middle DESC, calendar_month) = 1
),

trough AS (
  SELECT product, calendar_month, middle
  FROM monthly
  QUALIFY row_number() OVER (PARTITION BY product ORDER BY middle, calendar_month) = 1
),

-- The price that most copies of the peak month went for, the smallest of several.
peak_price AS (
  SELECT sane.product, sane.sale_price, count(*) AS times
  FROM sane
  JOIN peak ON peak.product = sane.product AND peak.calendar_month = sane.calendar_month
  GROUP BY sane.product, sane.sale_price
  QUALIFY row_number() OVER (PARTITION BY sane.product ORDER BY times DESC, sane.sale_price) = 1
),

used_price AS (
  SELECT
    batch.product,
    batch.as_of,
    unnest(history.times) AS "time",
    unnest(history."values") AS "value",
    generate_subscripts(history.times, 1) AS position
  FROM batch
  JOIN price_history AS history ON history.domain_id = batch.domain_id AND history.asin = batch.asin
  WHERE history.price_type = 2
),

used_price_once AS (
  SELECT product, "time", arg_max_null("value", position) AS "value"
  FROM used_price
  WHERE "time" >= as_of - INTERVAL 1095 DAYS
  GROUP BY product, "time"
  HAVING "value" > 0
),

used_price_change AS (
  SELECT product, "time", "value"
  FROM used_price_once
  QUALIFY "value" IS DISTINCT FROM lag("value") OVER (PARTITION BY product ORDER BY "time")
),

trend_length AS (
  SELECT
    batch.product,
    CASE
      WHEN stats.average_365_days[4] < 100000 THEN 10
      WHEN stats.average_365_days[4] < 500000 THEN 5
      ELSE 3
    END AS prices
  FROM batch
  LEFT JOIN product_stats AS stats ON stats.domain_id = batch.domain_id AND stats.asin = batch.asin
),

trend AS (
  SELECT product, sign(arg_max("value", "time") - arg_min("value", "time")) AS price_trend
  FROM (
    SELECT used_price_change.*
    FROM used_price_change
    JOIN trend_length ON trend_length.product = used_price_change.product
    QUALIFY row_number() OVER (PARTITION BY used_price_change.product ORDER BY "time" DESC) <= trend_length.prices
  )
  GROUP BY product
)

SELECT
  batch.domain_id,
  batch.asin,
  coalesce(counted.offer_drops, 0) AS offer_drops,
  coalesce(counted.sales, 0) AS sales,
  coalesce(counted.sales_365_days, 0) AS sales_365_days,
  coalesce(overall.sane_prices, 0) AS sane_prices,
  counted.sales / counted.offer_drops AS sale_confidence,
  (2 * overall.year_total + overall.year_count) // (2 * overall.year_count) AS one_year_average,
  CASE
    WHEN overall.sane_prices <= 2 OR peak.product IS NULL THEN overall.middle
    WHEN peak_price.times >= 2 THEN peak_price.sale_price
    ELSE rounded(peak.middle)
  END AS sale_price_estimate,
  CASE
    WHEN overall.product IS NULL THEN 'none'
    WHEN overall.sane_prices <= 2 THEN 'sparse'
    WHEN peak.product IS NULL THEN 'flat'
    ELSE 'seasonal'
  END AS list_price_source,
  CASE WHEN overall.sane_prices >= 3 THEN peak.calendar_month END AS peak_month,
  CASE WHEN overall.sane_prices >= 3 THEN rounded(trough.middle) END AS expected_trough,
  CASE WHEN overall.sane_prices >= 3 THEN trough.calendar_month END AS trough_month,
  trend.price_trend,
  batch.as_of AS observed_at,
  batch.landed_file,
  $code_version AS code_version
FROM batch
LEFT JOIN counted ON counted.product = batch.product
LEFT JOIN overall ON overall.product = batch.product
LEFT JOIN peak ON peak.product = batch.product
LEFT JOIN peak_price ON peak_price.product = batch.product
LEFT JOIN trough ON trough.product = batch.product
LEFT JOIN trend ON trend.product = batch.product;
