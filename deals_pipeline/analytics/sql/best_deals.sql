-- One row per listed deal that is worth buying, the largest expected profit first.
SELECT
  deal.domain_id,
  deal.asin,
  deal.title,
  metrics.price_now,
  metrics.price_source,
  metrics.one_year_average,
  metrics.list_price_estimate,
  metrics.list_price_source,
  metrics.peak_month,
  metrics.all_in_cost,
  metrics.amazon_fees,
  metrics.profit,
  metrics.roi,
  metrics.sale_confidence,
  metrics.sales,
  metrics.sales_365_days,
  metrics.offer_drops,
  seller.name AS seller_name,
  metrics.seller_trust
FROM deal
JOIN deal_metrics AS metrics ON metrics.domain_id = deal.domain_id AND metrics.asin = deal.asin
LEFT JOIN seller ON seller.domain_id = metrics.domain_id AND seller.seller_id = metrics.seller_id
WHERE
  deal.gone_at IS NULL
  AND metrics.screened = 'survives'
  AND metrics.screened_stage IN ('history', 'offers')
ORDER BY metrics.expected_profit DESC NULLS LAST, deal.domain_id, deal.asin
LIMIT $limit;
