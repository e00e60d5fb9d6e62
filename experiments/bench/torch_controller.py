"""Ask and tell of the controller in PyTorch, one thread: the peer of
BenchmarkAskTell in nn/policygradient. Needs PyTorch (Debian: python3-torch).

    OMP_NUM_THREADS=1 python3 torch_controller.py [seconds]
"""

import sys
import time

import torch
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(1)
torch.set_default_dtype(torch.float64)
OPTIONS = [8, 2, 5, 5, 6, 3, 7, 8, 7, 8, 7, 7]
HIDDEN, EMBEDDING = 50, 25


class Controller(nn.Module):
    """Two LSTM cells with action and task embeddings and a skip connection to each step's head."""

    def __init__(self):
        super().__init__()
        self.start = nn.Parameter(torch.zeros(1, EMBEDDING))
        self.task = nn.Embedding(1, EMBEDDING)
        self.actions = nn.ModuleList(nn.Embedding(n, EMBEDDING) for n in OPTIONS[:-1])
        self.cells = nn.ModuleList([nn.LSTMCell(2 * EMBEDDING, HIDDEN), nn.LSTMCell(HIDDEN, HIDDEN)])
        self.heads = nn.ModuleList(nn.Linear(HIDDEN + 2 * EMBEDDING, n) for n in OPTIONS)

    def forward(self, actions=None):
        states = [(torch.zeros(1, HIDDEN), torch.zeros(1, HIDDEN)) for _ in self.cells]
        task, embedded = self.task(torch.zeros(1, dtype=torch.long)), self.start
        taken, log_prob, entropy = [], 0.0, 0.0
        for t, head in enumerate(self.heads):
            x = torch.cat([embedded, task], 1)
            h = x
            for l, cell in enumerate(self.cells):
                states[l] = cell(h, states[l])
                h = states[l][0]
            log_p = torch.log_softmax(head(torch.cat([h, x], 1)), 1)
            a = torch.multinomial(log_p.exp(), 1)[0] if actions is None else actions[t]
            taken.append(a)
            log_prob = log_prob + log_p[0, a]
            entropy = entropy - (log_p.exp() * log_p).sum()
            if t < len(self.actions):
                embedded = self.actions[t](a)
        return taken, log_prob, entropy


controller = Controller()
optimiser = torch.optim.Adam(controller.parameters(), lr=1e-3)


def ask_tell():
    with torch.no_grad():
        actions, _, _ = controller()
    optimiser.zero_grad(set_to_none=True)
    _, log_prob, entropy = controller(actions)
    (-(0.5 * log_prob + 0.01 * entropy)).sum().backward()
    optimiser.step()


for _ in range(20):
    ask_tell()
seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5
start, n = time.perf_counter(), 0
while time.perf_counter() - start < seconds:
    ask_tell()
    n += 1
print(f"PyTorch {torch.__version__}: {(time.perf_counter() - start) / n * 1e6:,.0f} µs/ask+tell")
