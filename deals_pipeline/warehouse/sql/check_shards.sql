-- One row: how many shards were read to their end, how many of these showed more than Keepa lists and have not been cut
-- since, and one of them. A shard has been cut when a part of its price band was begun to be read later.
WITH
shard_scan AS (
  SELECT
    shard,
    scan_id,
    server_from,
    completed_at,
    is_truncated,
    regexp_extract(shard, '^(.*_)(\d+)-(\d+)$', ['stem', 'low', 'high']) AS part
  FROM scan
  WHERE kind = 'shard'
),

newest_complete AS (
  SELECT *
  FROM shard_scan
  WHERE completed_at IS NOT NULL
  QUALIFY row_number() OVER (PARTITION BY shard ORDER BY server_from DESC, scan_id DESC) = 1
),

truncated AS (
  SELECT whole.shard
  FROM newest_complete AS whole
  WHERE
    whole.is_truncated
    AND NOT EXISTS (
      SELECT cut.shard
      FROM shard_scan AS cut
      WHERE
        cut.shard <> whole.shard
        AND cut.server_from > whole.server_from
        AND cut.part.stem = whole.part.stem
        AND try_cast(cut.part.low AS BIGINT) >= try_cast(whole.part.low AS BIGINT)
        AND try_cast(cut.part.high AS BIGINT) <= try_cast(whole.part.high AS BIGINT)
    )
)

SELECT
  (SELECT count(*) FROM newest_complete) AS shards,
  (SELECT count(*) FROM truncated) AS shards_truncated,
  (SELECT min(shard) FROM truncated) AS example;
