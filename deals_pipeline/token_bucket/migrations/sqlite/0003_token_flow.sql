-- One row per account and instant at which the balance was observed: what left the bucket since the one before.
-- Times are microseconds since 1970, UTC.
CREATE TABLE token_flow (
  account TEXT NOT NULL,
  observed_at INTEGER NOT NULL,
  tokens_left INTEGER NOT NULL,
  refill_rate INTEGER NOT NULL,
  left_tokens INTEGER NOT NULL, -- left the bucket, by whomever
  lost_tokens INTEGER NOT NULL, -- refill that the full bucket did not take
  PRIMARY KEY (account, observed_at)
) WITHOUT ROWID;
