-- The arriving histories that nothing stored outdoes: what they outdo is gone by now.
INSERT INTO price_history BY NAME
SELECT
  arriving.*,
  $days::INTEGER AS days,
  $observed_at::TIMESTAMPTZ AS observed_at,
  $landed_file AS landed_file,
  $code_version AS code_version
FROM arriving
ANTI JOIN price_history AS stored
  ON stored.domain_id = arriving.domain_id
  AND stored.asin = arriving.asin
  AND stored.price_type = arriving.price_type;
