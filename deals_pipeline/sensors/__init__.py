"""The sensors: what to buy next, when to halt, and what to clear away."""
