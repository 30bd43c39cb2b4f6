-- One row per deal of the report and drop of its used offers, oldest first: the inferred sales, and what was none.
-- Days since 1970, UTC.
SELECT
  report_deal.position,
  datediff('day', DATE '1970-01-01', offer_drop.dropped_at::DATE) AS "day",
  offer_drop.used_offers_before,
  offer_drop.used_offers_after,
  offer_drop.confirmed_by,
  offer_drop.sale_price,
  offer_drop.is_sane
FROM report_deal
JOIN offer_drop ON offer_drop.domain_id = report_deal.domain_id AND offer_drop.asin = report_deal.asin
ORDER BY report_deal.position, offer_drop.dropped_at;
