-- One row per account: all that is known of it, as JSON of BucketState without `revoked`.
-- Whoever changes it locks the row.
-- The row may be deleted: one free look at the balance makes it anew.
CREATE TABLE token_bucket (
  account text PRIMARY KEY, -- fingerprint of the API key
  state text NOT NULL
);
