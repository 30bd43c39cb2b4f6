-- One row while it is tried whether the warehouse can be written, before a token is spent; empty otherwise.
CREATE TABLE write_probe (
  code_version VARCHAR NOT NULL -- version of deals_pipeline that tries
);
