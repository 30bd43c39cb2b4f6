-- One row per ASIN, price type and point of its history, in order: those of one marketplace between two ASINs.
WITH
history AS (
  SELECT price_history.*, price_type.name
  FROM price_history
  JOIN price_type ON price_type.price_type = price_history.price_type
  WHERE price_history.domain_id = $domain_id AND price_history.asin BETWEEN $first AND $last
  ORDER BY price_history.asin, price_history.price_type
)

SELECT
  $marketplace::VARCHAR AS marketplace,
  asin,
  name AS price_type,
  unnest(times) AS "time",
  unnest("values") AS "value",
  unnest(shipping) AS shipping
FROM history;
