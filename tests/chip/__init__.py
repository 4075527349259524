"""`make chip`: a real, emulated or virtual board through everything that a node must stand."""
