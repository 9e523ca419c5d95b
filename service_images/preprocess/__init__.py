"""The preprocess service: an input object becomes chunks of items in the work bucket."""
