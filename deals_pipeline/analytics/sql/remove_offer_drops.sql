DELETE FROM offer_drop
USING batch
WHERE batch.domain_id = offer_drop.domain_id AND batch.asin = offer_drop.asin;
