-- One row per marketplace and ASIN whose history was bought: the sales that it implies, and for what one could sell.
-- Computed from price_history and product_stats alone, as of the answer that told the history.
CREATE TABLE product_sales (
  domain_id TINYINT NOT NULL, -- marketplace, as on the wire
  asin VARCHAR NOT NULL, -- Amazon's id of the product
  offer_drops INTEGER NOT NULL, -- times in the last 1095 days when there were fewer used offers than before, count
  sales INTEGER NOT NULL, -- of these, confirmed by the sales rank, count
  sales_365_days INTEGER NOT NULL, -- sales of the last 365 days, count
  sane_prices INTEGER NOT NULL, -- sales whose price is known and no outlier, count
  sale_confidence DOUBLE, -- sales / offer_drops, 0 to 1; NULL without drops
  one_year_average INTEGER, -- mean sane sale price of the last 365 days, cents; NULL without a sale
  sale_price_estimate INTEGER, -- for what a used copy sells at its best, before any ceiling, cents; NULL without a sale
  list_price_source VARCHAR NOT NULL, -- how it was estimated: none, sparse (1 or 2 sales), flat, seasonal
  peak_month TINYINT, -- calendar month, 1 to 12, with the highest median of 2 sales or more; NULL where flat or sparse
  expected_trough INTEGER, -- median sale price of the worst calendar month, cents; NULL with fewer than 3 sales
  trough_month TINYINT, -- that month, 1 to 12
  price_trend TINYINT, -- -1, 0, 1: last against first of the last 10, 5 or 3 used prices; NULL without a price
  observed_at TIMESTAMPTZ NOT NULL, -- Keepa's clock at the answer that told the history, UTC
  landed_file VARCHAR NOT NULL, -- that answer
  code_version VARCHAR NOT NULL, -- version of deals_pipeline that computed it
  PRIMARY KEY (domain_id, asin)
);
