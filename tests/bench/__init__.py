"""What things cost, as ratios. See README.md."""
