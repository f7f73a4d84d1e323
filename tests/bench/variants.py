"""PyTorch's modules for the bench's variants (models/NAME.nn); see worker.h for what a worker does.

    variants.py NAME ROWS SCALE
"""
import sys

import numpy as np
import torch

import peers

SPIRAL = [2, 10, 3]
# The widths, the activations between them, and the solver.
VARIANTS = {
    "tanh": (SPIRAL, [torch.nn.Tanh], lambda p: torch.optim.SGD(p, lr=0.1)),
    "softplus": (SPIRAL, [torch.nn.Softplus], lambda p: torch.optim.SGD(p, lr=0.1)),
    "gelu": (SPIRAL, [torch.nn.GELU], lambda p: torch.optim.SGD(p, lr=0.1)),
    "wide": ([2, 27, 3], [torch.nn.Sigmoid], lambda p: torch.optim.SGD(p, lr=0.1)),
    "layers": ([2, 12, 10, 8, 3], [torch.nn.Sigmoid, torch.nn.Tanh, torch.nn.Sigmoid],
               lambda p: torch.optim.SGD(p, lr=0.1)),
    "medium": ([2, 64, 64, 3], [torch.nn.Sigmoid, torch.nn.Sigmoid], lambda p: torch.optim.SGD(p, lr=0.1)),
    "adam": (SPIRAL, [torch.nn.Sigmoid], lambda p: torch.optim.Adam(p, lr=0.001)),
    "regression": ([4, 12, 12, 2], [torch.nn.Tanh, torch.nn.Tanh], lambda p: torch.optim.SGD(p, lr=0.01)),
}


def network(widths, activations, scale):
    parts = []
    for k, (wide, narrow) in enumerate(zip(widths, widths[1:])):
        linear = torch.nn.Linear(wide, narrow, dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(peers.weight(2 * k, (wide, narrow), scale, np.float64).T.copy()))
            linear.bias.copy_(torch.from_numpy(peers.weight(2 * k + 1, (narrow,), scale, np.float64)))
        parts += [linear] + [activation() for activation in activations[k : k + 1]]
    return torch.nn.Sequential(*parts)


def main(name, rows, scale):
    torch.set_num_threads(1)
    widths, activations, solver_of = VARIANTS[name]
    model = network(widths, activations, float(scale))
    solver = solver_of(model.parameters())
    if name == "regression":
        x, t = (peers.number(stream, rows * wide).reshape(rows, wide) for stream, wide in ((1, 4), (2, 2)))
        loss_of = torch.nn.MSELoss()
    else:
        x, t = peers.spiral(rows)
        loss_of = torch.nn.CrossEntropyLoss()
    x, t = torch.from_numpy(x), torch.from_numpy(t)

    def step(number):
        solver.zero_grad()
        loss = loss_of(model(x), t)
        loss.backward()
        solver.step()
        return loss.detach()

    peers.serve(step)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
