-- One row per migration that this warehouse went through.
CREATE TABLE migration (
  version INTEGER PRIMARY KEY, -- its number, from 1 without gaps; the newest is the version of the schema
  name VARCHAR NOT NULL, -- its file
  code_version VARCHAR NOT NULL -- version of deals_pipeline that applied it last
);
