"""Benchmarks: real processes against the simulated host, measured from outside. `python -m bench` runs them all."""
