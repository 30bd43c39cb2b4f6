"""What a run does with its tokens: read scans, cut shards, buy histories. No Dagster: assets are shells round this."""
