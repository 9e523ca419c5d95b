"""A typed facade over the official clients: the only Google code on this side of the wire.

Protos stay in here; what goes in and out are frozen dataclasses.
"""
