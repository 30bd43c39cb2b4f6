-- One row per tracked deal: what its history is worth being fresh for, cents.
SELECT refresh_weight(screened, screened_stage, history_observed_at, expected_profit)::DOUBLE AS weight
FROM deal_metrics
JOIN deal ON deal.domain_id = deal_metrics.domain_id AND deal.asin = deal_metrics.asin
WHERE deal.gone_at IS NULL AND weight IS NOT NULL;
