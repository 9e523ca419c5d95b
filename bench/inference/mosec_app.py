"""mosec with its dynamic batching: tokenizing in one process, scoring in another."""

import os
from typing import Any

from mosec import Server, Worker

from bench.inference import model

_DEVICE = os.environ["BENCH_DEVICE"]
_BATCH = int(os.environ["BENCH_BATCH"])
_WAIT_MS = 2


class Tokenize(Worker):  # type: ignore[misc]
    """Texts to rows."""

    def __init__(self) -> None:
        self._inputs = model.inputs()

    def forward(self, data: dict[str, Any]) -> list[Any]:
        """One request."""
        return [self._inputs.rows(text)[0] for text in data["instances"]]


class Score(Worker):  # type: ignore[misc]
    """Rows to answers; with a batch of 1 mosec hands over single requests."""

    def __init__(self) -> None:
        self._scorer = model.scorer(_DEVICE)

    def forward(self, data: Any) -> Any:
        """One request or a batch of them."""
        if _BATCH == 1:
            return {"predictions": [model.answer(one) for one in self._scorer.score(data)]}
        rows = [row for one in data for row in one]
        found = iter(self._scorer.score(rows))
        return [{"predictions": [model.answer(next(found)) for _ in one]} for one in data]


if __name__ == "__main__":
    server = Server()
    server.append_worker(Tokenize, num=1)
    number = 1 if _DEVICE == "simulated" else 2
    server.append_worker(Score, num=number, max_batch_size=_BATCH, max_wait_time=_WAIT_MS)
    server.run()
