"""Tests of `runtime/`, with programs of their own: whatever yours is, they pass."""
