-- One row per deal of the report, in its order; columns under the names that they have in the warehouse.
-- Times are seconds since 1970, UTC. Of what the page shows, nobody tells restriction_state yet.
SELECT
  marketplace.name AS marketplace,
  deal.title,
  product.author,
  product.binding,
  NULL::VARCHAR AS restriction_state,
  report_deal.is_worth_buying,
  deal_metrics.* EXCLUDE (code_version) REPLACE (
    epoch(deal_metrics.price_observed_at)::BIGINT AS price_observed_at,
    epoch(deal_metrics.offers_observed_at)::BIGINT AS offers_observed_at,
    epoch(deal_metrics.screened_inputs_at)::BIGINT AS screened_inputs_at,
    epoch(deal_metrics.screened_next_try_at)::BIGINT AS screened_next_try_at,
    epoch(deal_metrics.history_observed_at)::BIGINT AS history_observed_at
  ),
  marketplace.prep_fee,
  if(deal_metrics.price_source = 'offer', 0, marketplace.inbound_shipping) AS inbound_shipping,
  marketplace.purchase_tax_percent::DOUBLE AS purchase_tax_percent,
  marketplace.markup_percent::DOUBLE AS markup_percent,
  product.pick_and_pack_fee,
  product.referral_fee_percentage,
  product_sales.sane_prices,
  product_sales.sale_price_estimate,
  live_offer.condition_comment,
  seller.name AS seller_name,
  seller.rating_percent,
  seller.rating_count,
  deal.sales_rank,
  deal.sales_rank_drops_30_days,
  deal.sales_rank_drops_365_days,
  deal.used_offers,
  deal.amazon_cents,
  epoch(deal.created_at)::BIGINT AS created_at,
  epoch(deal.last_update)::BIGINT AS last_update,
  epoch(deal.last_seen)::BIGINT AS last_seen
FROM report_deal
JOIN deal_metrics ON deal_metrics.domain_id = report_deal.domain_id AND deal_metrics.asin = report_deal.asin
JOIN deal ON deal.domain_id = report_deal.domain_id AND deal.asin = report_deal.asin
LEFT JOIN marketplace ON marketplace.domain_id = report_deal.domain_id
LEFT JOIN product ON product.domain_id = report_deal.domain_id AND product.asin = report_deal.asin
LEFT JOIN product_sales ON product_sales.domain_id = report_deal.domain_id AND product_sales.asin = report_deal.asin
LEFT JOIN live_offer
  ON live_offer.domain_id = report_deal.domain_id
  AND live_offer.asin = report_deal.asin
  AND live_offer.offer_id = deal_metrics.offer_id
LEFT JOIN seller ON seller.domain_id = report_deal.domain_id AND seller.seller_id = deal_metrics.seller_id
ORDER BY report_deal.position;
