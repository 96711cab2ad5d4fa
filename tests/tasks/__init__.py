"""Unit tests of `tasks/`: no build, no network, no machine."""
