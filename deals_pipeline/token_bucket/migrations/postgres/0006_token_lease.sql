-- One row per account and spending run that began and has not ended.
-- Whether it lives is told by its lock, not by this row.
CREATE TABLE token_lease (
  account text NOT NULL,
  run_id text NOT NULL,
  host text NOT NULL,
  pid bigint NOT NULL,
  since timestamptz NOT NULL,
  PRIMARY KEY (account, run_id)
);
