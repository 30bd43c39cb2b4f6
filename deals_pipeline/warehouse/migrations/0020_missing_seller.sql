-- One row per marketplace and seller who was asked for and did not come: not to be asked for again without a reason.
CREATE TABLE missing_seller (
  domain_id TINYINT NOT NULL, -- marketplace, as on the wire
  seller_id VARCHAR NOT NULL, -- Amazon's id of the seller
  times INTEGER NOT NULL, -- answers that lacked it, count
  first_missing TIMESTAMPTZ NOT NULL, -- Keepa's clock at the first of these answers, UTC
  last_missing TIMESTAMPTZ NOT NULL, -- Keepa's clock at the newest, UTC; an older one than seller.observed_at is past
  PRIMARY KEY (domain_id, seller_id)
);
