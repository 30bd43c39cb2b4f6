-- One row per marketplace and seller who was asked for: the newest answer.
CREATE TABLE seller (
  domain_id TINYINT NOT NULL, -- marketplace, as on the wire
  seller_id VARCHAR NOT NULL, -- Amazon's id of the seller
  name VARCHAR, -- as Keepa sent it: Unicode, may hold HTML
  rating_percent TINYINT, -- positive ratings, percent; NULL unknown
  rating_count INTEGER, -- ratings, count; NULL unknown
  ratings_last_30_days INTEGER, -- new ratings, count; NULL unknown
  has_fba BOOLEAN, -- sells through Amazon's fulfilment
  ships_from_china BOOLEAN, -- ships from China
  tracked_since TIMESTAMPTZ NOT NULL, -- since when Keepa knows the seller, UTC
  last_update TIMESTAMPTZ NOT NULL, -- Keepa's last refresh, UTC
  observed_at TIMESTAMPTZ NOT NULL, -- Keepa's clock at the answer, UTC
  landed_file VARCHAR NOT NULL, -- that answer
  code_version VARCHAR NOT NULL, -- version of deals_pipeline that loaded it
  PRIMARY KEY (domain_id, seller_id)
);
