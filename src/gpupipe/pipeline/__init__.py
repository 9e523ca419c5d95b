"""The workflow that gpupipe deploys, and the sample files that `test-upload` sends."""
