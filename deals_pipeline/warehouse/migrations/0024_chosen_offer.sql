-- One row per marketplace and ASIN with a live used offer that can be bought: the cheapest, shipping included.
-- What the newest crawl of the product did not see is not there any more; a crawl takes a while.
-- FBM with unknown shipping cannot be compared and is left out; FBA ships for free where it does not say.
CREATE VIEW chosen_offer AS
SELECT
  domain_id, -- marketplace, as on the wire
  asin, -- Amazon's id of the product
  offer_id, -- Keepa's id of the offer within the product
  seller_id, -- Amazon's id of the seller
  condition, -- 2 like new to 5 acceptable
  price, -- of the item, cents
  shipping, -- cents, 0 free; NULL unknown
  is_fba, -- fulfilled by Amazon
  TRY_CAST(price::BIGINT + coalesce(shipping, 0) AS INTEGER) AS landed_price, -- item and shipping, cents
  observed_at -- Keepa's clock at the answer, UTC
FROM (FROM live_offer QUALIFY last_seen >= max(last_seen) OVER (PARTITION BY domain_id, asin) - INTERVAL 1 HOUR)
WHERE condition BETWEEN 2 AND 5 AND price > 0 AND (is_fba OR shipping IS NOT NULL)
QUALIFY row_number() OVER (PARTITION BY domain_id, asin ORDER BY landed_price, offer_id) = 1;
