"""Billing Budgets: budgets of the one billing account. They are kept; nothing is spent and nobody told."""
