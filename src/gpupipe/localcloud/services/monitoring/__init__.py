"""Cloud Monitoring: dashboards, alert policies and their incidents, channels, time series."""
