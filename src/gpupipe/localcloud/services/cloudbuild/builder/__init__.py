"""The builder: a context and a Dockerfile become a folder and an image configuration."""
