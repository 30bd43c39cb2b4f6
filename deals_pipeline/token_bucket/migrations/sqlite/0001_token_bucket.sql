-- One row per account: all that is known of it, as JSON of BucketState without `revoked`.
-- The row may be deleted: one free look at the balance makes it anew.
CREATE TABLE token_bucket (
  account TEXT PRIMARY KEY, -- fingerprint of the API key
  state TEXT NOT NULL
);
