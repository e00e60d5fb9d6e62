"""Training steps of the two-tower child model in PyTorch, one thread: the peer of
BenchmarkStep in nn/child. Needs PyTorch (Debian: python3-torch).

    OMP_NUM_THREADS=1 python3 torch_step.py [seconds per shape]
"""

import sys
import time

import torch
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(1)
SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 5
BATCH = 100


class TwoTower(nn.Module):
    """Mean token vector, hidden layers and logits; beside them one row of logits a token."""

    def __init__(self, vocabulary, dim, layers, hidden, classes, norm, tuned):
        super().__init__()
        self.embedding = nn.EmbeddingBag(vocabulary, dim, mode="mean", sparse=True)
        self.embedding.weight.requires_grad_(tuned)
        self.wide = nn.EmbeddingBag(vocabulary, classes, mode="sum", sparse=True)
        nn.init.zeros_(self.wide.weight)
        tower, width = [], dim
        for _ in range(layers):
            tower.append(nn.Linear(width, hidden, bias=not norm))
            if norm:
                tower.append(nn.BatchNorm1d(hidden))
            tower.append(nn.ReLU())
            width = hidden
        tower.append(nn.Linear(width, classes))
        self.tower = nn.Sequential(*tower)

    def forward(self, ids, offsets):
        return self.tower(self.embedding(ids, offsets)) + self.wide(ids, offsets)


def measure(name, vocabulary, dim, layers, hidden, classes, tokens, norm=False, tuned=True):
    model = TwoTower(vocabulary, dim, layers, hidden, classes, norm, tuned)
    optimiser = torch.optim.Adagrad([p for p in model.parameters() if p.requires_grad], lr=0.01, initial_accumulator_value=0.1)
    offsets = torch.arange(0, BATCH * tokens, tokens)
    batches = [
        (torch.randint(vocabulary, (BATCH * tokens,)), torch.randint(classes, (BATCH,))) for _ in range(20)
    ]

    def step(i):
        ids, labels = batches[i % len(batches)]
        optimiser.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(ids, offsets), labels).backward()
        optimiser.step()

    for i in range(20):
        step(i)
    start, steps = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        for _ in range(10):
            step(steps)
            steps += 1
    rate = steps * BATCH / (time.perf_counter() - start)
    print(f"{name:52} {rate:12,.0f} examples/s {rate * tokens:14,.0f} tokens/s", flush=True)


print("PyTorch", torch.__version__, "threads", torch.get_num_threads())
measure("10k dim128 1x64 2 classes 20 tokens tuned", 10000, 128, 1, 64, 2, 20)
measure("10k dim128 2x256 13 classes 20 tokens tuned", 10000, 128, 2, 256, 13, 20)
measure("30k dim128 3x256 batch 20 classes 300 tokens tuned", 30000, 128, 3, 256, 20, 300, norm=True)
measure("30k dim250 2x256 2 classes 250 tokens tuned", 30000, 250, 2, 256, 2, 250)
measure("30k dim128 no layer 2 classes 100 tokens tuned", 30000, 128, 0, 1, 2, 100)
measure("10k dim128 2x256 2 classes 20 tokens frozen", 10000, 128, 2, 256, 2, 20, tuned=False)
