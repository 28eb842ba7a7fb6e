"""Signing in with a Claris ID once, at a terminal, and keeping what later runs need of it. Needs no Django."""
