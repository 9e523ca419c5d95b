"""Instances of services as processes: started, probed, scaled, logged and always ended."""
