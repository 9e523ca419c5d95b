"""Pub/Sub (google.pubsub.v1): the topics and subscriptions that triggers made."""
