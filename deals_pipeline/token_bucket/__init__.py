"""The token bucket: what may be spent now is derived from what Keepa said last, never counted."""
