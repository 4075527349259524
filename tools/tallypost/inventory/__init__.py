"""The inventory of provisioned nodes, their labels and import files."""
