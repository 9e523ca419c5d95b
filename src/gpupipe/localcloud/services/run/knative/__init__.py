"""Version 1 of Cloud Run's API, which gcloud speaks: Knative's words for the services of version 2."""
