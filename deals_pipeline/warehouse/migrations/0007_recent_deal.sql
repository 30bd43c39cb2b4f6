-- One row per marketplace and ASIN that a feed's scan listed: its newest observation.
-- Lists have one value per price type, at index + 1 of table price_type. Unit: cents, rank, count or tenths of a star.
CREATE TABLE recent_deal (
  domain_id TINYINT NOT NULL, -- marketplace, as on the wire
  asin VARCHAR NOT NULL, -- Amazon's id of the product
  title VARCHAR, -- as Keepa sent it: Unicode, may hold HTML
  parent_asin VARCHAR, -- family of which it is a variation
  image VARCHAR, -- file name of the image
  root_category BIGINT NOT NULL, -- Amazon's browse node
  categories BIGINT[] NOT NULL, -- Amazon's browse nodes
  created_at TIMESTAMPTZ NOT NULL, -- when the deal was found, UTC, creationDate
  last_update TIMESTAMPTZ NOT NULL, -- when a tracked value last moved, UTC, lastUpdate; decides which is newest
  current INTEGER[] NOT NULL, -- value now; NULL where there is no offer
  current_since TIMESTAMPTZ[] NOT NULL, -- since when it has this value, UTC
  delta_last INTEGER[] NOT NULL, -- value before minus value now: positive is a drop
  average_day INTEGER[], -- average of the last day, weighted by time
  average_week INTEGER[], -- average of the last 7 days
  average_month INTEGER[], -- average of the last 31 days
  average_quarter INTEGER[], -- average of the last 90 days
  delta_day INTEGER[], -- average of the last day minus value now; NULL unless both are known
  delta_week INTEGER[], -- average of the last 7 days minus value now
  delta_month INTEGER[], -- average of the last 31 days minus value now
  delta_quarter INTEGER[], -- average of the last 90 days minus value now
  delta_percent_day INTEGER[], -- delta_day in percent of the average
  delta_percent_week INTEGER[], -- delta_week in percent of the average
  delta_percent_month INTEGER[], -- delta_month in percent of the average
  delta_percent_quarter INTEGER[], -- delta_quarter in percent of the average
  back_in_stock BOOLEAN[] NOT NULL, -- whether it came back after having been sold out
  sales_rank_drops_30_days INTEGER, -- improvements of the sales rank, count
  sales_rank_drops_90_days INTEGER, -- improvements of the sales rank, count
  sales_rank_drops_180_days INTEGER, -- improvements of the sales rank, count
  sales_rank_drops_365_days INTEGER, -- improvements of the sales rank, count
  warehouse_condition TINYINT, -- condition of the warehouse deal, 0 none, 2 like new to 5 acceptable
  warehouse_comment VARCHAR, -- its seller's words
  observed_at TIMESTAMPTZ NOT NULL, -- Keepa's clock at the answer that told all of the above, UTC
  landed_file VARCHAR NOT NULL, -- that answer
  code_version VARCHAR NOT NULL, -- version of deals_pipeline that loaded it
  first_seen TIMESTAMPTZ NOT NULL, -- Keepa's clock when it was first listed, UTC
  last_seen TIMESTAMPTZ NOT NULL, -- Keepa's clock when it was last listed, changed or not, UTC
  last_seen_scan VARCHAR, -- scan that saw it then; NULL when the page belonged to none
  PRIMARY KEY (domain_id, asin)
);
