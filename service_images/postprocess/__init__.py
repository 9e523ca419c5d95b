"""The postprocess service: scores become one result, a failure becomes one error record."""
