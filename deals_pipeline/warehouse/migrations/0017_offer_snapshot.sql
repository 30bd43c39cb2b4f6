-- One row per marketplace and ASIN whose live offers were bought: its newest answer, offers or none.
CREATE TABLE offer_snapshot (
  domain_id TINYINT NOT NULL, -- marketplace, as on the wire
  asin VARCHAR NOT NULL, -- Amazon's id of the product
  is_live BOOLEAN NOT NULL, -- Keepa had fresh offers; false where its crawl failed, and then there are none here
  offers INTEGER NOT NULL, -- live offers of any condition, count
  first_observed TIMESTAMPTZ NOT NULL, -- Keepa's clock at the oldest answer, UTC
  live_at TIMESTAMPTZ, -- Keepa's clock at the newest answer with fresh offers, UTC; NULL none had
  observed_at TIMESTAMPTZ NOT NULL, -- Keepa's clock at the answer, UTC
  landed_file VARCHAR NOT NULL, -- that answer
  code_version VARCHAR NOT NULL, -- version of deals_pipeline that loaded it
  PRIMARY KEY (domain_id, asin)
);
