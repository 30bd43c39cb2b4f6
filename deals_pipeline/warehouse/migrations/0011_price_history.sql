-- One row per marketplace, ASIN and price type that has a history: from the newest answer that reaches as far back.
-- The lists are parallel, oldest first.
CREATE TABLE price_history (
  domain_id TINYINT NOT NULL, -- marketplace, as on the wire
  asin VARCHAR NOT NULL, -- Amazon's id of the product
  price_type TINYINT NOT NULL, -- index in table price_type, which tells the unit of the values
  times TIMESTAMPTZ[] NOT NULL, -- when the value began to hold, UTC
  "values" INTEGER[] NOT NULL, -- cents, rank, count or tenths of a star; NULL where there was no offer
  shipping INTEGER[], -- cents, NULL where unknown; NULL as a whole for a price type without shipping
  days INTEGER, -- how many days were asked for; NULL all
  observed_at TIMESTAMPTZ NOT NULL, -- Keepa's clock at the answer, UTC
  landed_file VARCHAR NOT NULL, -- that answer
  code_version VARCHAR NOT NULL, -- version of deals_pipeline that loaded it
  PRIMARY KEY (domain_id, asin, price_type)
);
