"""`make city`: the whole chain of a city on this machine, with simulated nodes."""
