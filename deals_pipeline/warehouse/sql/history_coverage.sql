-- One row: which share of the listed deals has a history; NULL where nothing is listed.
SELECT count(product.asin) / nullif(count(*), 0)
FROM deal
LEFT JOIN product ON product.domain_id = deal.domain_id AND product.asin = deal.asin
WHERE deal.gone_at IS NULL;
