"""The language of the Keepa API: requests, replies, price types, time, and the client that speaks it."""
