"""Eventarc (google.cloud.eventarc.v1), triggers of Cloud Storage events."""
