-- What an older answer told of a product is past.
DELETE FROM live_offer
USING offer_snapshot AS newest
WHERE
  newest.domain_id = live_offer.domain_id
  AND newest.asin = live_offer.asin
  AND newest.landed_file <> live_offer.landed_file;
