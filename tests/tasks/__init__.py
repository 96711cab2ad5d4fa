"""Unit tests of the engine: no build, no network, no machine."""
