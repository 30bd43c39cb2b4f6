-- What several statements decide alike. Rounded half up, as Amazon rounds; a price or an average is valid where positive.
CREATE OR REPLACE TEMP MACRO rounded(amount) AS floor(amount + 0.5)::BIGINT;

CREATE OR REPLACE TEMP MACRO valid(amount) AS CASE WHEN amount > 0 THEN amount END;

-- What a deal's history is worth being fresh for, cents; NULL where none was bought, or the page alone rejects the deal.
-- What was rejected needs it least: a lower price shows on the page, for free.
CREATE OR REPLACE TEMP MACRO refresh_weight(screened, screened_stage, history_observed_at, expected_profit) AS
CASE
  WHEN history_observed_at IS NULL OR (screened = 'rejected' AND screened_stage = 'page') THEN NULL
  WHEN screened = 'rejected' THEN 25.0
  ELSE greatest(100.0, coalesce(expected_profit, 0))
END;

-- One row per tracked deal: its weight among those of its marketplace, 1 on average: currencies do not compare.
CREATE OR REPLACE TEMP MACRO refresh_weights() AS TABLE
SELECT
  domain_id,
  asin,
  worth / avg(worth) OVER (PARTITION BY domain_id) AS weight
FROM (
  SELECT
    domain_id,
    asin,
    refresh_weight(screened, screened_stage, history_observed_at, expected_profit)::DOUBLE AS worth
  FROM deal_metrics
)
WHERE worth IS NOT NULL;
