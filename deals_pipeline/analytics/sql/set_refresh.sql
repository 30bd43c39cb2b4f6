-- When each deal's inputs are to be bought again: histories by the plan, offers that it survives after their interval.
-- Pages cost nothing, and of offers that rejected it the row says so already.
UPDATE deal_metrics
SET
  refresh_minutes = planned.minutes,
  screened_next_try_at = CASE
    WHEN screened_stage = 'history' THEN screened_inputs_at + to_minutes(coalesce(planned.minutes, $minutes_max))
    WHEN screened_stage = 'offers' AND screened = 'survives' THEN screened_inputs_at + to_minutes($offers_minutes)
    ELSE screened_next_try_at
  END
FROM (
  SELECT
    domain_id,
    asin,
    greatest($minutes_per_weight::DOUBLE / weight, $minutes_min) AS planned_minutes,
    CASE WHEN planned_minutes <= $minutes_max THEN ceil(planned_minutes)::INTEGER END AS minutes
  FROM refresh_weights()
) AS planned
WHERE planned.domain_id = deal_metrics.domain_id AND planned.asin = deal_metrics.asin;
