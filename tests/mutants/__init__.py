"""`make mutants`: changes one line of device code at a time and runs the tests that reach it."""
