"""Tests of the packages, as those who use them see them; scripts/test-package runs them."""
