"""A simulated Keepa service: a market, an account, a server, and faults."""
