-- One row per stage of screening, cheapest first: how many listed deals have its inputs, and how many of these pass.
WITH
stage AS (
  SELECT *
  FROM (VALUES (1, 'page'), (2, 'history'), (3, 'offers')) AS stages (number, stage)
),

listed AS (
  SELECT
    metrics.screened = 'survives' AS survives,
    list_position(['page', 'history', 'offers'], metrics.screened_stage) AS reached
  FROM deal_metrics AS metrics
  JOIN page_screening AS page ON page.domain_id = metrics.domain_id AND page.asin = metrics.asin
  WHERE page.gone_at IS NULL
)

SELECT
  stage.stage,
  count(listed.reached) AS asked,
  count(*) FILTER (WHERE listed.survives OR listed.reached > stage.number) AS passed
FROM stage
LEFT JOIN listed ON listed.reached >= stage.number
GROUP BY stage.number, stage.stage
ORDER BY stage.number;
