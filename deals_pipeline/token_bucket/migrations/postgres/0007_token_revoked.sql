-- One row per account and run that was given up: it may spend no more.
CREATE TABLE token_revoked (
  account text NOT NULL,
  run_id text NOT NULL,
  revoked_at timestamptz NOT NULL,
  PRIMARY KEY (account, run_id)
);
