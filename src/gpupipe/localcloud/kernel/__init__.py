"""What every emulated API shares: identity, authorisation, operations, events, objects, images."""
