"""The replaced recipe's stack: Flask behind gunicorn, one worker with threads."""

import os
from typing import Any

from flask import Flask, jsonify, request

from bench.inference import model

app = Flask(__name__)
_SCORER = model.scorer(os.environ["BENCH_DEVICE"])
_INPUTS = model.inputs()


@app.get("/ready")  # type: ignore[untyped-decorator]
def ready() -> Any:
    """The model was loaded with the module."""
    return jsonify({"status": "ready"})


@app.post("/predict")  # type: ignore[untyped-decorator]
def predict() -> Any:
    """One text after another."""
    texts = request.get_json()["instances"]
    found = [model.answer(_SCORER.score(_INPUTS.rows(text))[0]) for text in texts]
    return jsonify({"predictions": found})
