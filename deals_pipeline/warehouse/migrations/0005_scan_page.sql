-- One row per landed page that belongs to a scan and came.
CREATE TABLE scan_page (
  landed_file VARCHAR PRIMARY KEY, -- answer it came in
  scan_id VARCHAR NOT NULL, -- scan it belongs to
  page SMALLINT NOT NULL, -- its number, from 0
  observed_at TIMESTAMPTZ NOT NULL, -- Keepa's clock, UTC
  deals SMALLINT NOT NULL, -- deals that it listed, sound or not, duplicates included
  quarantined SMALLINT NOT NULL, -- of these, put aside
  duplicates SMALLINT NOT NULL, -- of these, a second time on the same page
  is_last BOOLEAN NOT NULL, -- it had fewer than 150 deals, or was the last that Keepa shows
  is_in_order BOOLEAN NOT NULL, -- its deals came in the order that was asked for
  first_sort_value BIGINT, -- of its first deal, so that deals ascend; unit by sort type; NULL when no deal has one
  last_sort_value BIGINT -- of its last deal
);
