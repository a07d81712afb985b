"""Tests of the files in deploy/; scripts/test-package runs them."""
