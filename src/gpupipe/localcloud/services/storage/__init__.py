"""Cloud Storage (JSON API): buckets, objects and their data, durable and with events."""
