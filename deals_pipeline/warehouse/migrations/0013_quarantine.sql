-- One row per landed answer and position of an item in it that was put aside.
CREATE TABLE quarantine (
  landed_file VARCHAR NOT NULL, -- the answer, which holds the item itself
  position SMALLINT NOT NULL, -- of the item in the answer, from 0
  kind VARCHAR NOT NULL, -- what was asked for: deal page, product, seller
  domain_id TINYINT NOT NULL, -- marketplace, as on the wire
  item_id VARCHAR, -- ASIN or seller id; NULL when not even that is readable
  reason VARCHAR NOT NULL, -- what is wrong with it
  observed_at TIMESTAMPTZ NOT NULL, -- Keepa's clock at the answer, UTC
  code_version VARCHAR NOT NULL, -- version of deals_pipeline that put it aside
  PRIMARY KEY (landed_file, position)
);
