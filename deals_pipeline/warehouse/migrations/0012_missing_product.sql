-- One row per marketplace and ASIN that was asked for and did not come: not to be bought again without a reason.
CREATE TABLE missing_product (
  domain_id TINYINT NOT NULL, -- marketplace, as on the wire
  asin VARCHAR NOT NULL, -- Amazon's id of the product
  times INTEGER NOT NULL, -- answers that lacked it, count
  first_missing TIMESTAMPTZ NOT NULL, -- Keepa's clock at the first of these answers, UTC
  last_missing TIMESTAMPTZ NOT NULL, -- Keepa's clock at the newest, UTC; an older one than product.observed_at is past
  PRIMARY KEY (domain_id, asin)
);
