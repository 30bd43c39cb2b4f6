-- One row per account and spending run that began and has not ended.
-- Whether it lives is told by its lock, not by this row.
-- Times are microseconds since 1970, UTC.
CREATE TABLE token_lease (
  account TEXT NOT NULL,
  run_id TEXT NOT NULL,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (account, run_id)
) WITHOUT ROWID;
