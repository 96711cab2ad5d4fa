"""Real packages on real machines without a network."""
