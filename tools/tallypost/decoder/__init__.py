"""The LoRaWAN decoder and device files for network servers. See README.md."""
