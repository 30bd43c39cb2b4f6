-- One row per ASIN of a marketplace that has histories, in order.
SELECT DISTINCT asin
FROM price_history
WHERE domain_id = $domain_id
ORDER BY asin;
