"""The version of the firmware and of the tool `tallypost`, which reads it here."""

VERSION = "0.2.0"
