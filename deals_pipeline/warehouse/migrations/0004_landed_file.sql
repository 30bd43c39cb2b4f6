-- One row per landed answer that was loaded: loading it again changes nothing.
CREATE TABLE landed_file (
  landed_file VARCHAR PRIMARY KEY, -- name of the file without its suffix; sorts in order of landing
  kind VARCHAR NOT NULL, -- what was asked for: deal page, product, seller, token status
  outcome VARCHAR NOT NULL, -- what came: page, products, sellers, token status, throttled, retryable, fatal
  detail VARCHAR, -- why nothing came; NULL when something did
  run_id VARCHAR NOT NULL, -- run that bought it
  hold_id VARCHAR NOT NULL, -- hold in the ledger that paid for it
  bought_with VARCHAR NOT NULL, -- version of deals_pipeline that bought it
  received_at TIMESTAMPTZ NOT NULL, -- when it came, UTC, by this machine
  server_time TIMESTAMPTZ, -- when it was made, UTC, by Keepa's clock; NULL when it said nothing readable
  status SMALLINT NOT NULL, -- HTTP status
  tokens_consumed INTEGER, -- tokens that Keepa took for it; NULL when it does not say
  items INTEGER NOT NULL, -- deals, products or sellers that were readable
  quarantined INTEGER NOT NULL, -- items that were put aside
  breaches VARCHAR[] NOT NULL, -- parameters of the request that had no effect
  code_version VARCHAR NOT NULL -- version of deals_pipeline that loaded it
);
