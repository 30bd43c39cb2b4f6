"""The assets: thin shells round what buys, loads and publishes."""
