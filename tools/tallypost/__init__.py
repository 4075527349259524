"""The host side of Tallypost: set-up, image, provisioning, and the city's listener."""
