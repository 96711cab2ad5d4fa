"""The host engine: what installs, switches and removes releases on a machine."""
