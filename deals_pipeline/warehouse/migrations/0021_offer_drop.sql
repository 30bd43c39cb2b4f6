-- One row per marketplace, ASIN and time when the number of used offers fell: a sale where the sales rank confirms it.
-- Of the last 1095 days before the answer that told the history. Computed from price_history alone.
CREATE TABLE offer_drop (
  domain_id TINYINT NOT NULL, -- marketplace, as on the wire
  asin VARCHAR NOT NULL, -- Amazon's id of the product
  dropped_at TIMESTAMPTZ NOT NULL, -- when there were fewer used offers, UTC
  used_offers_before INTEGER NOT NULL, -- count
  used_offers_after INTEGER NOT NULL, -- count
  confirmed_at TIMESTAMPTZ, -- when the sales rank improved, UTC; NULL where nothing confirms a sale
  confirmed_by VARCHAR, -- rank: within 240 hours; sparse: the next rank within 30 days; NULL no sale
  sale_price INTEGER, -- lowest used price when it was sold, cents, without shipping; NULL no sale, or no price known
  is_sane BOOLEAN, -- its price is no outlier among those of the product; NULL without a price
  PRIMARY KEY (domain_id, asin, dropped_at)
);
