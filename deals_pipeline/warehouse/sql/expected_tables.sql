-- One row per table that should hold rows of answers: it has held some, or a snapshot tells of live offers.
SELECT table_name
FROM filled_table
UNION ALL
(
  SELECT 'live_offer'
  FROM offer_snapshot
  SEMI JOIN landed_file ON landed_file.landed_file = offer_snapshot.landed_file
  WHERE offer_snapshot.offers > 0 AND NOT EXISTS (FROM live_offer)
  LIMIT 1
);
