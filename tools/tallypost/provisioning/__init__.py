"""Identity and secrets into boards; see README.md."""
