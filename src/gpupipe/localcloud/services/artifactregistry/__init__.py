"""Artifact Registry: Docker repositories, their images, tags and policies."""
