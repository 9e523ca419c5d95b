"""IAM: service accounts and who may use them."""
