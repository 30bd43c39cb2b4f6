-- One row per marketplace, ASIN, price type and point of its history.
CREATE VIEW price_point AS
SELECT
  domain_id, -- marketplace, as on the wire
  asin, -- Amazon's id of the product
  price_type, -- index in table price_type, which tells the unit
  unnest(times) AS "time", -- when the value began to hold, UTC
  unnest("values") AS "value", -- cents, rank, count or tenths of a star; NULL where there was no offer
  unnest(shipping) AS shipping -- cents; NULL where unknown or where the price type has none
FROM price_history;
