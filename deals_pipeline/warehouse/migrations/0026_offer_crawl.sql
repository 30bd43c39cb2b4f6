-- One row per marketplace and ASIN whose live offers were bought: when Keepa's crawler saw them, up to a day before the
-- answer, whose request says how old a crawl it takes.
CREATE VIEW offer_crawl AS
SELECT
  snapshot.domain_id, -- marketplace, as on the wire
  snapshot.asin, -- Amazon's id of the product
  any_value(snapshot.is_live) AS is_live, -- Keepa had fresh offers
  any_value(snapshot.first_observed) AS first_observed, -- Keepa's clock at the oldest answer, UTC
  any_value(snapshot.live_at) AS live_at, -- Keepa's clock at the newest answer with fresh offers, UTC; NULL none had
  any_value(snapshot.observed_at) AS observed_at, -- Keepa's clock at the answer, UTC
  least(any_value(snapshot.observed_at), max(live_offer.last_seen)) AS crawled_at -- the answer's time where none is live
FROM offer_snapshot AS snapshot
LEFT JOIN live_offer ON live_offer.domain_id = snapshot.domain_id AND live_offer.asin = snapshot.asin
GROUP BY snapshot.domain_id, snapshot.asin;
