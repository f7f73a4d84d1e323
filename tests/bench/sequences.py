"""PyTorch's modules for the bench's sequences (models/attention.nn, models/lstm.nn); see worker.h for what a worker does.

    sequences.py NAME MODE ROWS SCALE       MODE: train or predict
"""
import math
import sys

import numpy as np
import torch
from torch.nn import functional

import peers

TIME = 64
HEADS = 4


def shapes_of(name):
    """The weights in the order of the model."""
    if name == "lstm":
        return [(32, 512), (128, 512), (512,), (128, 10), (10,)]
    dense = [(64, 64), (64,)]
    return [(64,), (64,)] + 4 * dense + [(64,), (64,), (64, 256), (256,), (256, 64), (64,), (64, 10), (10,)]


def linear(W, b):
    """The W of a model has a column for each result."""
    layer = torch.nn.Linear(*W.shape)
    with torch.no_grad():
        layer.weight.copy_(W.T)
        layer.bias.copy_(b)
    return layer


def norm(gain, bias):
    layer = torch.nn.LayerNorm(len(gain))
    with torch.no_grad():
        layer.weight.copy_(gain)
        layer.bias.copy_(bias)
    return layer


class Block(torch.nn.Module):
    def __init__(self, w):
        super().__init__()
        self.norms = torch.nn.ModuleList([norm(w[0], w[1]), norm(w[10], w[11])])
        self.attention = torch.nn.ModuleList([linear(w[k], w[k + 1]) for k in range(2, 10, 2)])
        self.thought = torch.nn.ModuleList([linear(w[12], w[13]), linear(w[14], w[15])])
        self.score = linear(w[16], w[17])
        self.register_buffer("hidden", torch.ones(TIME, TIME, dtype=torch.bool).triu(1))

    def seen(self, x):
        rows, time, width = x.shape
        q, k, v = (f(x).view(rows, time, HEADS, -1).transpose(1, 2) for f in self.attention[:3])
        share = (q @ k.transpose(-2, -1) / math.sqrt(width // HEADS)).masked_fill(self.hidden, -1e30).softmax(-1)
        return self.attention[3]((share @ v).transpose(1, 2).reshape(rows, time, width))

    def forward(self, x):
        x = x + self.seen(self.norms[0](x))
        x = x + self.thought[1](functional.gelu(self.thought[0](self.norms[1](x)), approximate="tanh"))
        return self.score(x.mean(1))


class Recurrent(torch.nn.Module):
    def __init__(self, w):
        super().__init__()
        self.lstm = torch.nn.LSTM(32, 128, batch_first=True)
        self.score = linear(w[3], w[4])
        with torch.no_grad():
            self.lstm.weight_ih_l0.copy_(w[0].T)
            self.lstm.weight_hh_l0.copy_(w[1].T)
            self.lstm.bias_ih_l0.copy_(w[2])
            self.lstm.bias_hh_l0.zero_()
        self.lstm.bias_hh_l0.requires_grad = False  # ours has one bias

    def forward(self, x):
        return self.score(self.lstm(x)[0][:, -1])


def main(name, mode, rows, scale):
    torch.set_num_threads(1)
    shapes = shapes_of(name)
    weights = [torch.from_numpy(peers.weight(i, shape, float(scale), np.float32)) for i, shape in enumerate(shapes)]
    model = Recurrent(weights) if name == "lstm" else Block(weights)
    x = peers.number(1, rows * TIME * shapes[0][0]).reshape(rows, TIME, shapes[0][0]).astype(np.float32)
    x, t = torch.from_numpy(x), torch.arange(rows) % 10
    if mode == "predict":
        peers.serve(peers.prediction_step(torch, model, x), training=False)
    else:
        peers.serve(peers.training_step(torch, model, x, t, 0.01))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
