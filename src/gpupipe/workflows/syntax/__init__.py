"""Expressions: text to tokens to nodes."""
