"""Whole runs: what is up to date, executors, batches of pages, publication, two runs compared."""
