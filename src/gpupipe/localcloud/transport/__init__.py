"""gRPC and HTTP on the outside, one handler table on the inside."""
