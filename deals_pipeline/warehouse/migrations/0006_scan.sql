-- One row per scan: a reading of a selection's pages, from 0 on, until a short page, its cursor included.
CREATE TABLE scan (
  scan_id VARCHAR PRIMARY KEY, -- selection, kind, shard, version and start
  selection VARCHAR NOT NULL, -- name in the settings
  selection_version VARCHAR NOT NULL, -- hash of the selection's wire form: cursors and absence belong to a version
  domain_id TINYINT NOT NULL, -- marketplace, as on the wire
  kind VARCHAR NOT NULL CHECK (kind IN ('head', 'full', 'shard')), -- how it began
  shard VARCHAR, -- key of the backfill's shard; NULL for a feed
  started_at TIMESTAMPTZ NOT NULL, -- when it began, UTC, by the reader's clock
  next_page SMALLINT NOT NULL CHECK (next_page >= 0), -- the cursor: all pages before it are stored
  pages SMALLINT NOT NULL, -- pages that are stored, in whatever order
  completed_at TIMESTAMPTZ, -- Keepa's clock at the short page that ended it, UTC; NULL while there may be more
  is_truncated BOOLEAN NOT NULL, -- it ended at the 10 000 deals that Keepa shows at most: more may exist
  is_in_order BOOLEAN NOT NULL, -- the pages before the cursor came in the order that was asked for, across pages too
  deals INTEGER NOT NULL, -- deals on the pages before the cursor, duplicates included
  quarantined INTEGER NOT NULL, -- of these, put aside
  duplicates INTEGER NOT NULL, -- of these, twice on one page
  server_from TIMESTAMPTZ NOT NULL, -- Keepa's clock at the first answer, UTC
  server_until TIMESTAMPTZ NOT NULL -- Keepa's clock at the newest answer, UTC
);
