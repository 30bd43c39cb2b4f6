-- The newest of those that reach farthest back wins, whatever the order of loading: a history is never shortened.
DELETE FROM price_history AS stored
USING arriving
WHERE
  stored.domain_id = arriving.domain_id
  AND stored.asin = arriving.asin
  AND stored.price_type = arriving.price_type
  AND (coalesce(stored.days, 2147483647), stored.observed_at, stored.landed_file)
  < (coalesce($days::INTEGER, 2147483647), $observed_at::TIMESTAMPTZ, $landed_file);
