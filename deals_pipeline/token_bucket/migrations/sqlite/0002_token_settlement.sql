-- One row per hold that has ended: who spent what, on what, estimated and actual.
-- Times are microseconds since 1970, UTC.
CREATE TABLE token_settlement (
  hold_id TEXT PRIMARY KEY, -- a hold ends once
  account TEXT NOT NULL,
  run_id TEXT NOT NULL,
  lane TEXT NOT NULL,
  purpose TEXT NOT NULL,
  kind TEXT NOT NULL,
  units INTEGER NOT NULL,
  cost_low INTEGER NOT NULL,
  cost_high INTEGER NOT NULL,
  high INTEGER NOT NULL, -- what was held; more tokens than that are an overshoot
  reserved_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('settled', 'voided', 'expired')),
  tokens INTEGER, -- what the call cost; NULL where nobody knows
  resolved_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX token_settlement_by_time ON token_settlement (account, resolved_at);
