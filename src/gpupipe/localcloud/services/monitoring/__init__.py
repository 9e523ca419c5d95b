"""Cloud Monitoring: dashboards and alert policies, checked and kept. Nothing is measured or raised."""
