"""Cloud Build: images really built, without Docker, from a stated subset of Dockerfiles."""
