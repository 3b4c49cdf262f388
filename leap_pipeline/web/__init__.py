"""Asking services over HTTP: tries, tokens and refusals that are the same for all of them."""
