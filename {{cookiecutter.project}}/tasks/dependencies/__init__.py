"""What is said of dependencies and done with them: advisories, licences, updates."""
