-- One row per account and run that was given up: it may spend no more. Times are microseconds since 1970, UTC.
CREATE TABLE token_revoked (
  account TEXT NOT NULL,
  run_id TEXT NOT NULL,
  revoked_at INTEGER NOT NULL,
  PRIMARY KEY (account, run_id)
) WITHOUT ROWID;
