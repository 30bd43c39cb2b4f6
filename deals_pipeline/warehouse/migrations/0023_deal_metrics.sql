-- One row per deal, marketplace and ASIN: what it would bring, and whether it is worth buying, by all that is known of it.
-- Money is cents of the marketplace's currency. Computed from stored tables and settings alone, at no tokens.
CREATE TABLE deal_metrics (
  domain_id TINYINT NOT NULL, -- marketplace, as on the wire
  asin VARCHAR NOT NULL, -- Amazon's id of the product
  price_now INTEGER, -- for what it can be bought, cents; NULL where nobody offers a used copy
  price_source VARCHAR, -- offer: one live offer's, shipping included; listing: without shipping; NULL without a price
  price_observed_at TIMESTAMPTZ, -- Keepa's clock when that price was told, or its crawler saw the live offer, UTC
  highest_average INTEGER, -- highest of the used averages of day, week, month and quarter, cents
  gross_roi DOUBLE, -- (highest_average - price_now) / price_now: 0.2 is 20 %
  offer_drops INTEGER, -- times in three years when there were fewer used offers than before; NULL without a history
  sales INTEGER, -- of these, inferred sales: the sales rank improved soon after
  sales_365_days INTEGER, -- inferred sales of the last 365 days
  sale_confidence DOUBLE, -- sales / offer_drops, 0 to 1; NULL without drops
  one_year_average INTEGER, -- mean sane sale price of the last 365 days, cents; NULL without a sale
  percent_below_average DOUBLE, -- how far price_now is below one_year_average, percent, never negative
  list_price_estimate INTEGER, -- for what a copy can be listed, cents; NULL without a sale, or where implausible
  list_price_source VARCHAR, -- how: none, sparse, flat, seasonal; implausible above 1500.00; NULL without a history
  list_price_ceiling INTEGER, -- 90 % of Amazon's lowest price: now, 180 or 365 days average, cents; NULL Amazon has none
  list_price_capped BOOLEAN, -- the estimate was above the ceiling, and became it
  peak_month TINYINT, -- calendar month of the estimate, 1 to 12; NULL unless seasonal
  expected_trough INTEGER, -- median sale price of the worst calendar month, cents
  trough_month TINYINT, -- that month, 1 to 12
  price_trend TINYINT, -- -1 falling, 0, 1 rising: used price over its last changes
  offer_trend TINYINT, -- -1 fewer, 0, 1 more used offers than on the average of 30 days
  purchase_tax INTEGER, -- cents
  all_in_cost INTEGER, -- price_now, tax, preparation, and inbound shipping where the price is without, cents
  referral_fee INTEGER, -- Amazon's share of the estimate, cents
  fba_fee INTEGER, -- Amazon's charge for fulfilling one, cents
  amazon_fees INTEGER, -- both, cents
  fees_estimated BOOLEAN, -- Keepa did not say one of the two: the settings' fallback stands for it
  profit INTEGER, -- list_price_estimate - all_in_cost - amazon_fees, cents
  margin DOUBLE, -- profit / list_price_estimate
  roi DOUBLE, -- profit / all_in_cost
  expected_profit INTEGER, -- profit × sale_confidence, cents: what deals are ranked by
  minimum_list_price INTEGER, -- lowest list price that keeps the markup, cents; NULL where fees and markup eat all
  offer_id INTEGER, -- cheapest live used offer, in live_offer; NULL where none was fetched, none is live, or the price moved since
  seller_id VARCHAR, -- its seller
  offer_condition TINYINT, -- its condition, 2 like new to 5 acceptable
  offer_price INTEGER, -- its price, cents
  offer_shipping INTEGER, -- its shipping, cents
  offer_is_fba BOOLEAN, -- fulfilled by Amazon
  seller_trust DOUBLE, -- Wilson lower bound of the seller's positive ratings, 0 to 1; NULL seller unknown
  offers_observed_at TIMESTAMPTZ, -- Keepa's clock when live offers were last told, UTC; NULL never
  screened VARCHAR NOT NULL, -- survives or rejected, by screened_stage
  screened_stage VARCHAR NOT NULL, -- page, history, offers: the dearest that is known, or the cheapest that rejects
  screened_reason VARCHAR, -- why it was rejected; NULL where it survives
  screened_inputs_at TIMESTAMPTZ NOT NULL, -- Keepa's clock at the newest input of that stage, UTC
  screened_next_try_at TIMESTAMPTZ NOT NULL, -- from when the next answer may be bought, or the page may change it, UTC
  refresh_minutes INTEGER, -- planned time between two histories, if it moves; NULL where tokens do not reach
  history_observed_at TIMESTAMPTZ, -- Keepa's clock at the answer that told the history, UTC; NULL without
  code_version VARCHAR NOT NULL, -- version of deals_pipeline that computed it
  PRIMARY KEY (domain_id, asin)
);
