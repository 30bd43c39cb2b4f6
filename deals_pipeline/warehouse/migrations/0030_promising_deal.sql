-- One row per marketplace and ASIN of a listed deal that looks profitable by its history: its live offers are worth buying.
-- Offers that were not to be had are worth another try after as long as they have failed, one day to thirty-two; those
-- that rejected the deal when its metrics say so; those that Keepa had seen before the price moved when an hour has passed.
CREATE VIEW promising_deal AS
SELECT
  deal.domain_id, -- marketplace, as on the wire
  deal.asin, -- Amazon's id of the product
  deal_metrics.screened = 'survives' AS survives, -- not rejected by the live offers that it has
  deal_metrics.expected_profit, -- cents: the larger, the sooner
  deal.used_since, -- since when the deal's used price is what it is, UTC
  CASE
    WHEN crawl.is_live AND (deal.used_since IS NULL OR deal.used_since <= crawl.crawled_at) THEN crawl.observed_at
  END AS offers_hold_from, -- Keepa's clock when its live offers were told, UTC; NULL never, or the used price moved since
  greatest(crawl.observed_at, refused_product.refused_at) AS asked_at, -- Keepa's clock, UTC; NULL never
  CASE
    WHEN refused_product.refused_at >= crawl.observed_at OR crawl.observed_at IS NULL THEN refused_product.retry_at
    WHEN NOT crawl.is_live
      THEN crawl.observed_at + least(
        greatest(crawl.observed_at - coalesce(crawl.live_at, crawl.first_observed), INTERVAL 1 DAY),
        INTERVAL 32 DAYS
      )
    WHEN deal.used_since > crawl.crawled_at AND deal.used_since <= crawl.observed_at
      THEN crawl.observed_at + INTERVAL 1 HOUR
    WHEN NOT survives THEN deal_metrics.screened_next_try_at
  END AS retry_at -- when to try again what was refused, failed, rejected or too old, UTC; NULL where nothing was
FROM deal
JOIN deal_metrics ON deal_metrics.domain_id = deal.domain_id AND deal_metrics.asin = deal.asin
LEFT JOIN offer_crawl AS crawl ON crawl.domain_id = deal.domain_id AND crawl.asin = deal.asin
LEFT JOIN refused_product ON refused_product.domain_id = deal.domain_id AND refused_product.asin = deal.asin
WHERE
  deal.gone_at IS NULL
  AND (deal_metrics.screened_stage = 'offers' OR (survives AND deal_metrics.screened_stage = 'history'));
