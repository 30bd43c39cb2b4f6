-- One row: of how many runs both the landed answers and the ledger tell what they cost, how many differ, and one of
-- them. A run is judged when all its answers came after `since` and it is not `active` in the ledger. One that the ledger
-- does not know is left out if it began before all that it knows: the ledger may be newer than the answers. A run without
-- an answer is left out if the ledger is shared.
WITH
landed AS (
  SELECT run_id, coalesce(sum(tokens_consumed), 0) AS tokens, min(received_at) AS first_at
  FROM landed_file
  GROUP BY run_id
),

spent AS (
  SELECT
    unnest($run_ids::VARCHAR[]) AS run_id,
    unnest($tokens::BIGINT[]) AS tokens,
    unnest($unknown::BIGINT[]) AS unknown
),

charged AS (
  SELECT run_id, sum(tokens) AS tokens, sum(unknown) AS unknown
  FROM spent
  GROUP BY run_id
),

known AS (
  SELECT min(landed.first_at) AS first_at
  FROM landed
  JOIN charged ON charged.run_id = landed.run_id
),

judged AS (
  SELECT
    coalesce(landed.run_id, charged.run_id) AS run_id,
    coalesce(landed.tokens, 0) AS tokens_landed,
    coalesce(charged.tokens, 0) AS tokens_charged,
    coalesce(charged.unknown, 0) AS unknown_calls,
    tokens_charged > tokens_landed OR (tokens_charged < tokens_landed AND unknown_calls = 0) AS differs
  FROM landed
  FULL JOIN charged ON charged.run_id = landed.run_id
  CROSS JOIN known
  WHERE
    coalesce(landed.run_id, charged.run_id) NOT IN (SELECT unnest($active::VARCHAR[]))
    AND (landed.run_id IS NULL OR landed.first_at >= $since)
    AND (charged.run_id IS NOT NULL OR coalesce(landed.first_at > known.first_at, true))
    AND (landed.run_id IS NOT NULL OR NOT $is_shared)
)

SELECT
  count(*) AS runs,
  count(*) FILTER (WHERE differs) AS runs_differing,
  coalesce(sum(tokens_landed), 0) AS tokens_landed,
  coalesce(sum(tokens_charged), 0) AS tokens_charged,
  coalesce(sum(unknown_calls), 0) AS unknown_calls,
  min(format('{}: {} by its answers, {} by the ledger', run_id, tokens_landed, tokens_charged)) FILTER (WHERE differs)
    AS example
FROM judged;
