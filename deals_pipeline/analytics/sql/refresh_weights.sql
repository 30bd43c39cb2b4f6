-- One row per tracked deal that is listed: its weight in the plan of refreshes.
SELECT weights.weight
FROM refresh_weights() AS weights
JOIN deal ON deal.domain_id = weights.domain_id AND deal.asin = weights.asin
WHERE deal.gone_at IS NULL;
