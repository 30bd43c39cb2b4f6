-- One row per marketplace and ASIN whose statistics were bought: from the newest answer that had any.
-- Lists have one value per price type, at index + 1 of table price_type. Unit: cents, rank, count or tenths of a star.
CREATE TABLE product_stats (
  domain_id TINYINT NOT NULL, -- marketplace, as on the wire
  asin VARCHAR NOT NULL, -- Amazon's id of the product
  current INTEGER[] NOT NULL, -- value now; NULL where there is no offer
  average INTEGER[], -- average of the interval that was asked for, weighted by time
  average_30_days INTEGER[], -- average, weighted by time
  average_90_days INTEGER[], -- average, weighted by time
  average_180_days INTEGER[], -- average, weighted by time
  average_365_days INTEGER[], -- average, weighted by time
  sales_rank_drops_30_days INTEGER, -- improvements of the sales rank, count
  sales_rank_drops_90_days INTEGER, -- improvements of the sales rank, count
  sales_rank_drops_180_days INTEGER, -- improvements of the sales rank, count
  sales_rank_drops_365_days INTEGER, -- improvements of the sales rank, count
  observed_at TIMESTAMPTZ NOT NULL, -- Keepa's clock at the answer, UTC
  landed_file VARCHAR NOT NULL, -- that answer
  code_version VARCHAR NOT NULL, -- version of deals_pipeline that loaded it
  PRIMARY KEY (domain_id, asin)
);
