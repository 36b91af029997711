"""Worlds with a known truth that no deposit tells of: what an estimator or a search must find in them."""
