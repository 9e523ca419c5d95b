"""The Google Cloud Workflows language: load a source, run it. Pure: effects come in through ports.

Rules follow `reference/workflows-language.md` of the design notes; what the documents leave open is
said where it is decided.
"""
