"""What everything else builds on; knows nothing of deployments."""
