-- The arriving histories that nothing stored outdoes: what they outdo is gone by now. Only the keys are looked up among
-- the stored ones, for a join may keep either side in memory, and the histories are large.
INSERT INTO price_history BY NAME
WITH
kept AS (
  SELECT
    domain_id,
    asin,
    price_type
  FROM price_history
  SEMI JOIN arriving USING (domain_id, asin, price_type)
)

SELECT
  arriving.*,
  $days::INTEGER AS days,
  $observed_at::TIMESTAMPTZ AS observed_at,
  $landed_file AS landed_file,
  $code_version AS code_version
FROM arriving
ANTI JOIN kept USING (domain_id, asin, price_type);
