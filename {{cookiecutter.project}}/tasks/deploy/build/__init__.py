"""What every build has in common, whatever the quadrant."""
