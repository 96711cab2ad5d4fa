"""Real packages on real, networkless machines."""
