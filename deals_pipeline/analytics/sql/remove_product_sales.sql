DELETE FROM product_sales
USING batch
WHERE batch.domain_id = product_sales.domain_id AND batch.asin = product_sales.asin;
