-- One row: how many products were asked for and have not come since.
SELECT count(*) AS missing_products
FROM missing_product
LEFT JOIN product ON product.domain_id = missing_product.domain_id AND product.asin = missing_product.asin
WHERE product.observed_at IS NULL OR product.observed_at <= missing_product.last_missing;
