-- One row per kind of request: how many items of the answers since a time were put aside.
SELECT kind, sum(quarantined)::BIGINT AS quarantined
FROM landed_file
WHERE received_at >= $since AND quarantined > 0
GROUP BY kind
ORDER BY kind;
