"""The gpu-inference service: chunks and inline texts become scores of the model."""
