-- One row: how many items came since a time, how many of them were put aside, and the newest reason.
WITH
answer AS (
  SELECT coalesce(sum(items + quarantined), 0) AS items, coalesce(sum(quarantined), 0) AS quarantined
  FROM landed_file
  WHERE received_at >= $since
),

newest AS (
  SELECT max_by(quarantine.reason, (quarantine.landed_file, quarantine.position)) AS example
  FROM quarantine
  JOIN landed_file ON landed_file.landed_file = quarantine.landed_file
  WHERE landed_file.received_at >= $since
)

SELECT answer.*, newest.*
FROM answer, newest;
