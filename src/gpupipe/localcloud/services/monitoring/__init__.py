"""Cloud Monitoring: dashboards, alert policies and channels, checked and kept. Nothing is measured."""
