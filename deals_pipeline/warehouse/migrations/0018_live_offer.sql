-- One row per marketplace, ASIN and live offer of its newest snapshot: price, shipping, seller and condition of one offer.
CREATE TABLE live_offer (
  domain_id TINYINT NOT NULL, -- marketplace, as on the wire
  asin VARCHAR NOT NULL, -- Amazon's id of the product
  offer_id INTEGER NOT NULL, -- Keepa's id of the offer within the product
  seller_id VARCHAR NOT NULL, -- Amazon's id of the seller
  condition TINYINT NOT NULL, -- 0 unknown, 1 new, 2 used like new to 5 used acceptable, 6 refurbished, 7 to 11 collectible
  condition_comment VARCHAR, -- the seller's words, may hold HTML
  price INTEGER, -- of the item, cents; NULL unknown
  shipping INTEGER, -- cents, 0 free; NULL unknown
  is_fba BOOLEAN NOT NULL, -- fulfilled by Amazon
  is_prime BOOLEAN NOT NULL, -- delivered by Prime
  is_amazon BOOLEAN NOT NULL, -- Amazon itself sells
  is_shippable BOOLEAN NOT NULL, -- can be shipped now
  is_warehouse_deal BOOLEAN NOT NULL, -- sold by Amazon's warehouse
  last_seen TIMESTAMPTZ NOT NULL, -- when a crawl last saw the offer, UTC
  observed_at TIMESTAMPTZ NOT NULL, -- Keepa's clock at the answer, UTC
  landed_file VARCHAR NOT NULL, -- that answer
  code_version VARCHAR NOT NULL, -- version of deals_pipeline that loaded it
  PRIMARY KEY (domain_id, asin, offer_id)
);
