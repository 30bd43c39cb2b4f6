-- One row per account and instant at which answers were 429.
CREATE TABLE token_throttle (
  account text NOT NULL,
  throttled_at timestamptz NOT NULL,
  answers bigint NOT NULL,
  PRIMARY KEY (account, throttled_at)
);
