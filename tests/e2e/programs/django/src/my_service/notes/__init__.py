"""Notes that people write."""
