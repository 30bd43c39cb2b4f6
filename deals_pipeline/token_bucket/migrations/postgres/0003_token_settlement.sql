-- One row per hold that has ended: who spent what, on what, estimated and actual.
CREATE TABLE token_settlement (
  hold_id text PRIMARY KEY, -- a hold ends once
  account text NOT NULL,
  run_id text NOT NULL,
  lane text NOT NULL,
  purpose text NOT NULL,
  kind text NOT NULL,
  units bigint NOT NULL,
  cost_low bigint NOT NULL,
  cost_high bigint NOT NULL,
  high bigint NOT NULL, -- what was held; more tokens than that are an overshoot
  reserved_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  outcome text NOT NULL CHECK (outcome IN ('settled', 'voided', 'expired')),
  tokens bigint, -- what the call cost; NULL where nobody knows
  resolved_at timestamptz NOT NULL
);

CREATE INDEX token_settlement_by_time ON token_settlement (account, resolved_at);
