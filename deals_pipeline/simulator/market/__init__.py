"""The market behind the simulated service: products, deals, offers and sellers as functions of (seed, time)."""
