"""Clients of the platforms to which lectures are published."""
