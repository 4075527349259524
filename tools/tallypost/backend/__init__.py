"""The backend of a city for the messages of nodes. See README.md."""
