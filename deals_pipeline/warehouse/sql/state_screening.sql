-- One row per outcome, stage and reason of the screening of listed deals, most frequent first; NULL for those that were
-- listed since it was computed.
SELECT deal_metrics.screened, deal_metrics.screened_stage, deal_metrics.screened_reason, count(*) AS deals
FROM deal
LEFT JOIN deal_metrics ON deal_metrics.domain_id = deal.domain_id AND deal_metrics.asin = deal.asin
WHERE deal.gone_at IS NULL
GROUP BY deal_metrics.screened, deal_metrics.screened_stage, deal_metrics.screened_reason
ORDER BY deals DESC, deal_metrics.screened_stage, deal_metrics.screened_reason;
