-- One row per table that holds rows of answers, of those that never lose their last row by loading.
(SELECT 'landed_file' AS table_name FROM landed_file LIMIT 1)
UNION ALL
(SELECT 'scan_page' FROM scan_page LIMIT 1)
UNION ALL
(SELECT 'scan' FROM scan LIMIT 1)
UNION ALL
(SELECT 'recent_deal' FROM recent_deal LIMIT 1)
UNION ALL
(SELECT 'backfilled_deal' FROM backfilled_deal LIMIT 1)
UNION ALL
(SELECT 'product' FROM product LIMIT 1)
UNION ALL
(SELECT 'product_stats' FROM product_stats LIMIT 1)
UNION ALL
(SELECT 'price_history' FROM price_history LIMIT 1)
UNION ALL
(SELECT 'missing_product' FROM missing_product LIMIT 1)
UNION ALL
(SELECT 'quarantine' FROM quarantine LIMIT 1)
UNION ALL
(SELECT 'offer_snapshot' FROM offer_snapshot LIMIT 1)
UNION ALL
(SELECT 'seller' FROM seller LIMIT 1)
UNION ALL
(SELECT 'missing_seller' FROM missing_seller LIMIT 1);
