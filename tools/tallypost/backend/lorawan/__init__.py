"""The backend for uplinks in the short form of LoRaWAN. See README.md."""
