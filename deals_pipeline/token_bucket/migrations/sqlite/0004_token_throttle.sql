-- One row per account and instant at which answers were 429.
-- Times are microseconds since 1970, UTC.
CREATE TABLE token_throttle (
  account TEXT NOT NULL,
  throttled_at INTEGER NOT NULL,
  answers INTEGER NOT NULL,
  PRIMARY KEY (account, throttled_at)
) WITHOUT ROWID;
