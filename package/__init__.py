"""What `make package` does after the build, with nothing but Python's standard library."""
