-- One row per marketplace and ASIN of a listed deal that looks profitable by its history: its live offers are worth buying.
-- Offers that were not to be had are worth another try after as long as they have failed, one day to thirty-two.
CREATE VIEW survivor AS
SELECT
  deal.domain_id, -- marketplace, as on the wire
  deal.asin, -- Amazon's id of the product
  deal_metrics.expected_profit, -- cents: the larger, the sooner
  deal.used_since, -- since when the deal's used price is what it is, UTC
  CASE
    WHEN offer_snapshot.is_live AND (deal.used_since IS NULL OR deal.used_since <= offer_snapshot.observed_at)
      THEN offer_snapshot.observed_at
  END AS offers_hold_from, -- Keepa's clock when its live offers were told, UTC; NULL never, or the used price moved since
  greatest(offer_snapshot.observed_at, refused_product.refused_at) AS asked_at, -- Keepa's clock, UTC; NULL never
  CASE
    WHEN refused_product.refused_at >= offer_snapshot.observed_at OR offer_snapshot.observed_at IS NULL
      THEN refused_product.retry_at
    WHEN NOT offer_snapshot.is_live
      THEN offer_snapshot.observed_at + least(
        greatest(
          offer_snapshot.observed_at - coalesce(offer_snapshot.live_at, offer_snapshot.first_observed),
          INTERVAL 1 DAY
        ),
        INTERVAL 32 DAYS
      )
  END AS retry_at -- when to try again what was refused or failed, UTC; NULL where nothing was
FROM deal
JOIN deal_metrics ON deal_metrics.domain_id = deal.domain_id AND deal_metrics.asin = deal.asin
LEFT JOIN offer_snapshot ON offer_snapshot.domain_id = deal.domain_id AND offer_snapshot.asin = deal.asin
LEFT JOIN refused_product ON refused_product.domain_id = deal.domain_id AND refused_product.asin = deal.asin
WHERE
  deal.gone_at IS NULL
  AND deal_metrics.screened = 'survives'
  AND deal_metrics.screened_stage IN ('history', 'offers');
