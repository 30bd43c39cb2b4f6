-- Deals, histories, sales, metrics, offers and sellers, plausible and always the same. Variables: deals, points, now_at.
CREATE OR REPLACE TEMP MACRO chance(number, salt) AS (hash(number * 1000 + salt) % 1000000) / 1e6;

CREATE OR REPLACE TEMP TABLE seed AS
WITH
numbered AS (
  SELECT
    number,
    printf('B%09d', number) AS asin,
    [1, 1, 1, 2, 3, 5][1 + (hash(number) % 6)::INTEGER] AS domain_id,
    getvariable('now_at') AS now_at
  FROM range(getvariable('deals')) AS numbers(number)
),

priced AS (
  SELECT
    *,
    (1500 + 8000 * chance(number, 1) * chance(number, 2))::INTEGER * if(domain_id = 5, 2, 1) AS average,
    number % 7 <> 3 AS has_history,
    number % 10 <> 9 AS survives,
    number % 3 = 0 AND number % 7 <> 3 AS has_offer
  FROM numbered
)

SELECT *, (average * (0.25 + 0.4 * chance(number, 3)))::INTEGER AS used, (2e5 * chance(number, 4) ^ 2)::INTEGER + 800 AS sales_rank
FROM priced;

INSERT OR REPLACE INTO marketplace
SELECT domain_id, name, 275, 399, 5, 15, 550, 10
FROM (VALUES (1, 'US'), (2, 'GB'), (3, 'DE'), (5, 'JP')) AS known(domain_id, name);

INSERT INTO recent_deal BY NAME
SELECT
  domain_id,
  asin,
  array_to_string([
    ['A Field Guide to', 'Principles of', 'The Atlas of', 'Introduction to', 'A Short History of', 'Advanced'][1 + (hash(number + 1) % 6)::INTEGER],
    ['Clinical', 'Northern', 'Applied', 'Medieval', 'Organic', 'Quantum', 'Comparative'][1 + (hash(number + 2) % 7)::INTEGER],
    ['Anatomy', 'Chemistry', 'Birds', 'Law', 'Rivers', 'Statistics', 'Architecture'][1 + (hash(number + 3) % 7)::INTEGER]
    || if(number % 4 = 0, ': A Comprehensive Handbook for Students and Practitioners', ''),
    '(' || (2 + number % 9) || 'th Edition)'
  ], ' ') AS title,
  283155 AS root_category,
  [283155] AS categories,
  now_at - to_hours(number % 200) AS created_at,
  now_at - to_minutes(3 * (number % 3000)) AS last_update,
  list_transform(range(36), lambda k: CASE k WHEN 2 THEN used WHEN 3 THEN sales_rank WHEN 0 THEN average * 2 WHEN 12 THEN 8 END) AS current,
  list_transform(range(36), lambda _: now_at - INTERVAL 1 DAY) AS current_since,
  list_transform(range(36), lambda _: 0) AS delta_last,
  list_transform(range(36), lambda k: CASE k WHEN 2 THEN average END) AS average_quarter,
  list_transform(range(36), lambda _: FALSE) AS back_in_stock,
  (30 * chance(number, 5))::INTEGER AS sales_rank_drops_30_days,
  (300 * chance(number, 5))::INTEGER AS sales_rank_drops_365_days,
  now_at - to_minutes(number % 50) AS observed_at,
  'page' AS landed_file,
  'test' AS code_version,
  now_at - INTERVAL 3 DAY AS first_seen,
  now_at - to_minutes(number % 50) AS last_seen
FROM seed;

INSERT INTO product BY NAME
SELECT
  domain_id,
  asin,
  0 AS product_type,
  283155 AS root_category,
  now_at - INTERVAL 2000 DAY AS tracking_since,
  now_at AS last_update,
  412 AS pick_and_pack_fee,
  15.0 AS referral_fee_percentage,
  ['Doe, Jane', 'O''Neill, Pat', NULL][1 + number % 3] AS author,
  ['Paperback', 'Hardcover'][1 + number % 2] AS binding,
  now_at - to_hours(number % 30) AS observed_at,
  'product' AS landed_file,
  'test' AS code_version
FROM seed
WHERE has_history;

INSERT INTO product_stats BY NAME
SELECT
  domain_id,
  asin,
  list_transform(range(36), lambda k: CASE k WHEN 2 THEN used WHEN 3 THEN sales_rank WHEN 0 THEN average * 2 WHEN 12 THEN 8 END) AS current,
  list_transform(range(36), lambda k: CASE k WHEN 3 THEN sales_rank WHEN 0 THEN average * 2 WHEN 12 THEN 9 END) AS average_30_days,
  now_at - to_hours(number % 30) AS observed_at,
  'product' AS landed_file,
  'test' AS code_version
FROM seed
WHERE has_history;

INSERT INTO price_history BY NAME
WITH
series AS (
  SELECT
    seed.*,
    kind.price_type,
    greatest(4, (getvariable('points') * kind.share)::INTEGER) AS n,
    now_at - to_hours(number % 30) AS until
  FROM seed, (VALUES (0, 0.05), (2, 0.4), (3, 1.0), (12, 0.5)) AS kind(price_type, share)
  WHERE has_history
)

SELECT
  domain_id,
  asin,
  price_type,
  list_transform(range(n), lambda k: until - to_minutes(((n - 1 - k) * 1200 * 1440 / (n - 1))::INTEGER)) AS times,
  list_transform(range(n), lambda k: CASE
    WHEN hash(number * 7 + k) % 40 = 0 AND k < n - 1 THEN NULL
    WHEN price_type = 3 THEN (sales_rank * (0.4 + 2.2 * chance(number + k, 6)))::INTEGER
    WHEN price_type = 12 THEN 3 + (hash(number + k) % 12)::INTEGER
    WHEN price_type = 0 THEN (average * (1.7 + 0.4 * chance(number + k, 7)))::INTEGER
    WHEN k = n - 1 THEN used
    ELSE (average * (0.75 + 0.35 * sin(k / 9.0 + number) * 0.5 + 0.3 * chance(number + k // 3, 8)))::INTEGER
  END) AS "values",
  1095 AS days,
  until AS observed_at,
  'product' AS landed_file,
  'test' AS code_version
FROM series;

INSERT INTO offer_drop BY NAME
WITH
dropped AS (
  SELECT
    *,
    unnest(range(8 + number % 17)) AS drop,
    now_at - to_hours(number % 30) AS until
  FROM seed
  WHERE has_history
),

timed AS (
  SELECT *, until - to_minutes((drop * 61 + hash(number + drop) % 40)::INTEGER * 1440 + 720) AS dropped_at, hash(number + drop) % 3 > 0 AS sold
  FROM dropped
)

SELECT
  domain_id,
  asin,
  dropped_at,
  7 AS used_offers_before,
  6 AS used_offers_after,
  if(sold, dropped_at + INTERVAL 3 HOUR, NULL) AS confirmed_at,
  if(sold, 'rank', NULL) AS confirmed_by,
  if(sold, (average * (0.8 + 0.4 * chance(number + drop, 9)))::INTEGER, NULL) AS sale_price,
  if(sold, drop % 11 <> 5, NULL) AS is_sane,
FROM timed
WHERE dropped_at > until - INTERVAL 1095 DAY;

INSERT INTO deal_metrics BY NAME
WITH
sold AS (
  SELECT domain_id, asin, count(*) AS offer_drops, count(confirmed_at) AS sales
  FROM offer_drop
  GROUP BY domain_id, asin
),

known AS (
  SELECT
    seed.*,
    sold.offer_drops,
    sold.sales,
    sold.sales / sold.offer_drops AS sale_confidence,
    if(has_history, (average * (0.95 + 0.3 * chance(number, 10)))::INTEGER, NULL) AS list_price_estimate,
    if(has_offer, used + 349, used) AS price_now
  FROM seed
  LEFT JOIN sold ON sold.domain_id = seed.domain_id AND sold.asin = seed.asin
),

costed AS (
  SELECT
    *,
    round(price_now * 0.05)::INTEGER AS purchase_tax,
    (price_now + round(price_now * 0.05) + 275 + if(has_offer, 0, 399))::INTEGER AS all_in_cost,
    round(list_price_estimate * 0.15)::INTEGER AS referral_fee,
    if(has_history, 412, NULL) AS fba_fee
  FROM known
),

earned AS (
  SELECT *, list_price_estimate - all_in_cost - referral_fee - fba_fee AS profit
  FROM costed
)

SELECT
  domain_id,
  asin,
  price_now,
  if(has_offer, 'offer', 'listing') AS price_source,
  now_at - to_minutes(number % 600) AS price_observed_at,
  average AS highest_average,
  (average - price_now) / price_now AS gross_roi,
  offer_drops,
  sales,
  if(has_history, (sales * 0.4)::INTEGER, NULL) AS sales_365_days,
  sale_confidence,
  if(has_history, average, NULL) AS one_year_average,
  if(has_history, greatest(0, (average - price_now) / average * 100), NULL) AS percent_below_average,
  list_price_estimate,
  if(has_history, ['seasonal', 'flat', 'sparse'][1 + number % 3], NULL) AS list_price_source,
  if(has_history, (average * 1.8)::INTEGER, NULL) AS list_price_ceiling,
  if(has_history, number % 5 = 0, NULL) AS list_price_capped,
  if(has_history AND number % 3 = 0, 1 + number % 12, NULL) AS peak_month,
  if(has_history, (average * 0.7)::INTEGER, NULL) AS expected_trough,
  if(has_history, 1 + number % 11, NULL) AS trough_month,
  if(has_history, number % 3 - 1, NULL) AS price_trend,
  if(has_history, number % 2, NULL) AS offer_trend,
  purchase_tax,
  all_in_cost,
  referral_fee,
  fba_fee,
  referral_fee + fba_fee AS amazon_fees,
  if(has_history, number % 4 = 0, NULL) AS fees_estimated,
  profit,
  profit / list_price_estimate AS margin,
  profit / all_in_cost AS roi,
  round(profit * sale_confidence)::INTEGER AS expected_profit,
  if(has_history, ceil((all_in_cost + fba_fee) / 0.75)::INTEGER, NULL) AS minimum_list_price,
  if(has_offer, 1, NULL) AS offer_id,
  if(has_offer, 'A' || number, NULL) AS seller_id,
  if(has_offer, 2 + number % 4, NULL) AS offer_condition,
  if(has_offer, used, NULL) AS offer_price,
  if(has_offer, 349, NULL) AS offer_shipping,
  if(has_offer, FALSE, NULL) AS offer_is_fba,
  if(has_offer, 0.6 + 0.39 * chance(number, 11), NULL) AS seller_trust,
  if(has_offer, now_at - to_minutes(number % 600), NULL) AS offers_observed_at,
  if(survives AND coalesce(profit, 1) > 0, 'survives', 'rejected') AS screened,
  CASE WHEN NOT survives THEN 'page' WHEN has_offer THEN 'offers' WHEN has_history THEN 'history' ELSE 'page' END AS screened_stage,
  CASE WHEN NOT survives THEN 'does not sell' WHEN profit <= 0 THEN 'no profit' END AS screened_reason,
  now_at - to_minutes(number % 50) AS screened_inputs_at,
  now_at + to_hours(number % 48) AS screened_next_try_at,
  if(has_history, 1440, NULL) AS refresh_minutes,
  if(has_history, now_at - to_hours(number % 30), NULL) AS history_observed_at,
  'test' AS code_version
FROM earned;

INSERT INTO offer_snapshot BY NAME
SELECT domain_id, asin, TRUE AS is_live, 9 AS offers, now_at AS first_observed, now_at AS observed_at, 'offers' AS landed_file, 'test' AS code_version
FROM seed
WHERE has_offer;

INSERT INTO live_offer BY NAME
SELECT
  domain_id,
  asin,
  1 AS offer_id,
  'A' || number AS seller_id,
  2 + number % 4 AS condition,
  'Ships same day. Minor <b>shelf wear</b> & a name inside.' AS condition_comment,
  used AS price,
  349 AS shipping,
  FALSE AS is_fba,
  FALSE AS is_prime,
  FALSE AS is_amazon,
  TRUE AS is_shippable,
  FALSE AS is_warehouse_deal,
  now_at AS last_seen,
  now_at AS observed_at,
  'offers' AS landed_file,
  'test' AS code_version
FROM seed
WHERE has_offer;

INSERT INTO seller BY NAME
SELECT
  domain_id,
  'A' || number AS seller_id,
  'Seller <i>' || number || '</i> & Sons' AS name,
  80 + number % 20 AS rating_percent,
  number * 7 AS rating_count,
  FALSE AS ships_from_china,
  now_at AS tracked_since,
  now_at AS last_update,
  now_at AS observed_at,
  'seller' AS landed_file,
  'test' AS code_version
FROM seed
WHERE has_offer;
