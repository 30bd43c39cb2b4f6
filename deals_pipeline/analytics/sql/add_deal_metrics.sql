-- The rows of deal_metrics, all of them, but for when their histories are to be bought again: set_refresh decides that.
INSERT INTO deal_metrics BY NAME
WITH
-- Each source of a price counts until the page shows that the price has moved since. Sums of prices may exceed 32 bits,
-- since some sellers ask for 9999999.99: what does not fit into its column in the end is NULL.
listed AS (
  SELECT
    page.* REPLACE (page.used_cents::BIGINT AS used_cents, page.highest_average::BIGINT AS highest_average),
    crawl.observed_at AS offers_observed_at,
    crawl.first_observed AS offers_first_observed,
    crawl.crawled_at AS offers_crawled_at,
    coalesce(crawl.is_live AND coalesce(page.used_since <= crawl.crawled_at, true), false) AS are_offers_known
  FROM page_screening AS page
  LEFT JOIN offer_crawl AS crawl ON crawl.domain_id = page.domain_id AND crawl.asin = page.asin
),

known AS (
  SELECT
    listed.*,
    coalesce(listed.used_since <= stats.observed_at, true) AS are_stats_newer,
    chosen.* EXCLUDE (domain_id, asin, observed_at),
    valid(stats.current[3])::BIGINT AS stats_price,
    stats.observed_at AS stats_observed_at,
    sign(stats.current[13] - stats.average_30_days[13]) AS offer_trend,
    least(valid(stats.current[1]), valid(stats.average_180_days[1]), valid(stats.average_365_days[1]))::BIGINT
      AS amazon_price,
    seller.rating_percent,
    seller.rating_count::BIGINT AS rating_count
  FROM listed
  LEFT JOIN chosen_offer AS chosen
    ON chosen.domain_id = listed.domain_id AND chosen.asin = listed.asin AND listed.are_offers_known
  LEFT JOIN product_stats AS stats ON stats.domain_id = listed.domain_id AND stats.asin = listed.asin
  LEFT JOIN seller ON seller.domain_id = chosen.domain_id AND seller.seller_id = chosen.seller_id
),

priced AS (
  SELECT
    *,
    CASE
      WHEN landed_price IS NOT NULL
        THEN {'price': landed_price, 'source': 'offer', 'observed_at': offers_crawled_at}
      WHEN are_stats_newer AND stats_price IS NOT NULL
        THEN {'price': stats_price, 'source': 'listing', 'observed_at': stats_observed_at}
      WHEN valid(used_cents) IS NOT NULL THEN {'price': used_cents, 'source': 'listing', 'observed_at': observed_at}
    END AS now
  FROM known
),

estimated AS (
  SELECT
    priced.*,
    sales.* EXCLUDE (domain_id, asin, observed_at, landed_file, code_version, list_price_source),
    sales.observed_at AS history_observed_at,
    CAST(floor(0.9 * amazon_price) AS BIGINT) AS list_price_ceiling,
    sales.sale_price_estimate * 10::BIGINT > coalesce(9 * amazon_price, 'Infinity'::DOUBLE) AS list_price_capped,
    CASE WHEN list_price_capped THEN list_price_ceiling ELSE sales.sale_price_estimate END AS best_price,
    CASE WHEN best_price > 150000 THEN 'implausible' ELSE sales.list_price_source END AS list_price_source,
    CASE WHEN best_price <= 150000 THEN best_price END AS list_price_estimate
  FROM priced
  LEFT JOIN product_sales AS sales ON sales.domain_id = priced.domain_id AND sales.asin = priced.asin
),

costed AS (
  SELECT
    estimated.*,
    now.price AS price_now,
    rounded(now.price * marketplace.purchase_tax_percent / 100) AS purchase_tax,
    now.price
    + purchase_tax
    + marketplace.prep_fee
    + CASE now.source WHEN 'offer' THEN 0 ELSE marketplace.inbound_shipping END AS all_in_cost,
    TRY_CAST(product.referral_fee_percentage AS DECIMAL(9, 4)) AS referral_told,
    coalesce(referral_told, marketplace.referral_fallback_percent) AS referral_percent,
    rounded(list_price_estimate * referral_percent / 100) AS referral_fee,
    coalesce(product.pick_and_pack_fee, marketplace.fba_fallback) AS fba_fee,
    referral_fee + fba_fee AS amazon_fees,
    referral_told IS NULL OR product.pick_and_pack_fee IS NULL AS fees_estimated,
    list_price_estimate - all_in_cost - amazon_fees AS profit,
    -- In millionths, so that the division is one of whole numbers.
    ((100 - marketplace.markup_percent - referral_percent) * 10000)::BIGINT AS kept
  FROM estimated
  JOIN marketplace ON marketplace.domain_id = estimated.domain_id
  LEFT JOIN product ON product.domain_id = estimated.domain_id AND product.asin = estimated.asin
),

trusted AS (
  SELECT
    *,
    floor(CASE WHEN rating_percent > 100 THEN 100 ELSE rating_percent END * rating_count / 100)
    / nullif(rating_count, 0) AS positive
  FROM costed
),

screened AS (
  SELECT
    *,
    are_offers_known AND history_observed_at IS NOT NULL AS can_offers_reject,
    page_rejection(
      is_seen_lately,
      CASE WHEN can_offers_reject THEN least(price_now, valid(used_cents)) ELSE price_now END,
      highest_average,
      sales_rank_drops_365_days
    ) AS rejected_by_page,
    CASE
      WHEN list_price_source = 'none' THEN 'no sale inferred'
      WHEN list_price_source = 'implausible' THEN 'implausible'
      WHEN now.source = 'listing' AND profit <= 0 THEN 'no profit'
    END AS rejected_by_history,
    CASE
      WHEN NOT can_offers_reject THEN NULL
      WHEN landed_price IS NULL THEN 'no live offer'
      ELSE coalesce(
        page_rejection(is_seen_lately, landed_price, highest_average, sales_rank_drops_365_days),
        CASE WHEN profit <= 0 THEN 'no profit' END
      )
    END AS rejected_by_offers,
    CASE
      WHEN rejected_by_page IS NOT NULL THEN 'page'
      WHEN rejected_by_history IS NOT NULL THEN 'history'
      WHEN can_offers_reject THEN 'offers'
      WHEN history_observed_at IS NOT NULL THEN 'history'
      ELSE 'page'
    END AS screened_stage
  FROM trusted
)

SELECT
  domain_id,
  asin,
  price_now,
  now.source AS price_source,
  now.observed_at AS price_observed_at,
  highest_average,
  (highest_average - price_now) / price_now AS gross_roi,
  offer_drops,
  sales,
  sales_365_days,
  sale_confidence,
  one_year_average,
  CASE
    WHEN price_now >= one_year_average THEN 0
    ELSE (one_year_average - price_now) / one_year_average * 100
  END AS percent_below_average,
  list_price_estimate,
  list_price_source,
  list_price_ceiling,
  list_price_capped,
  peak_month,
  expected_trough,
  trough_month,
  price_trend,
  offer_trend,
  purchase_tax,
  TRY_CAST(all_in_cost AS INTEGER) AS all_in_cost,
  TRY_CAST(referral_fee AS INTEGER) AS referral_fee,
  CASE WHEN history_observed_at IS NOT NULL THEN fba_fee END AS fba_fee,
  TRY_CAST(amazon_fees AS INTEGER) AS amazon_fees,
  CASE WHEN history_observed_at IS NOT NULL THEN fees_estimated END AS fees_estimated,
  TRY_CAST(profit AS INTEGER) AS profit,
  profit / nullif(list_price_estimate, 0) AS margin,
  profit / all_in_cost AS roi,
  TRY_CAST(sign(profit) * ((2 * abs(profit) * sales + offer_drops) // (2 * offer_drops)) AS INTEGER) AS expected_profit,
  CASE
    WHEN kept > 0 AND history_observed_at IS NOT NULL
      THEN TRY_CAST(((all_in_cost + fba_fee) * 1000000 + kept - 1) // kept AS INTEGER)
  END AS minimum_list_price,
  offer_id,
  seller_id,
  condition AS offer_condition,
  price AS offer_price,
  shipping AS offer_shipping,
  is_fba AS offer_is_fba,
  CASE
    WHEN rating_count = 0 THEN 0
    ELSE
      (
        positive
        + 1.96 ** 2 / (2 * rating_count)
        - 1.96 * sqrt((positive * (1 - positive) + 1.96 ** 2 / (4 * rating_count)) / rating_count)
      )
      / (1 + 1.96 ** 2 / rating_count)
  END AS seller_trust,
  offers_observed_at,
  CASE
    WHEN coalesce(rejected_by_page, rejected_by_history, rejected_by_offers) IS NULL THEN 'survives'
    ELSE 'rejected'
  END AS screened,
  screened_stage,
  coalesce(rejected_by_page, rejected_by_history, rejected_by_offers) AS screened_reason,
  CASE screened_stage
    WHEN 'page' THEN observed_at
    WHEN 'history' THEN history_observed_at
    ELSE offers_observed_at
  END AS screened_inputs_at,
  CASE
    WHEN rejected_by_offers IS NOT NULL AND screened_stage = 'offers'
      THEN offers_observed_at + least(
        greatest(offers_observed_at - greatest(used_since, offers_first_observed), INTERVAL 1 DAY),
        INTERVAL 32 DAYS
      )
    ELSE screened_inputs_at
  END AS screened_next_try_at,
  history_observed_at,
  $code_version AS code_version
FROM screened;
