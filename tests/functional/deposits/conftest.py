"""The corpus of odd files stands beside the tests that use it."""
