"""The embedded local cloud: one loopback daemon that speaks the Google Cloud APIs on the wire.

It stands in for Google, so it shares no belief with the client side: nothing here imports
`gpupipe.cloud`, `gpupipe.deploy` or their name parsing.
"""
