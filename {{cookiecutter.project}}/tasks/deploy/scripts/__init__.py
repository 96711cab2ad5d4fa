"""Scripts for another Python, in an environment or on a target; never imported here."""
