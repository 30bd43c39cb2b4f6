-- One row per account and instant at which the balance was observed: what left the bucket since the one before.
CREATE TABLE token_flow (
  account text NOT NULL,
  observed_at timestamptz NOT NULL,
  tokens_left bigint NOT NULL,
  refill_rate bigint NOT NULL,
  left_tokens bigint NOT NULL, -- left the bucket, by whomever
  lost_tokens bigint NOT NULL, -- refill that the full bucket did not take
  PRIMARY KEY (account, observed_at)
);
