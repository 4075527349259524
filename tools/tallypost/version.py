"""The version of this tool: the one that the firmware keeps."""

from tallypost import resources

VERSION = resources.version()
