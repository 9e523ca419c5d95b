"""gpupipe: a serverless GPU pipeline on Google Cloud, deployed and operated from a terminal."""

__version__ = "0.1.0"
