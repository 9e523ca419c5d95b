"""Preflight: what would stop a deploy, or make it cost more than meant, told before anything is made."""
