"""A notebook or a package, run on this machine."""
