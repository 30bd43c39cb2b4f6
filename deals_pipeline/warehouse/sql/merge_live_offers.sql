-- The offers of an answer that is its product's newest.
INSERT OR REPLACE INTO live_offer BY NAME
SELECT arriving.*
FROM arriving
SEMI JOIN offer_snapshot AS newest
  ON newest.domain_id = arriving.domain_id
  AND newest.asin = arriving.asin
  AND newest.landed_file = arriving.landed_file;
