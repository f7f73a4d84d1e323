"""The bench's peers in Python; see worker.h for what a worker does.

    peers.py numpy_book spiral f64 ROWS BATCH SCALE RATE
"""
import math
import os
import sys
import time

import numpy as np

CHECK_UPDATES = 10


def number(stream, count):
    """The first numbers of a stream, in [-1, 1): as in worker.h."""
    i = np.arange(count, dtype=np.uint32)
    with np.errstate(over="ignore"):
        h = i * np.uint32(2654435769) + np.uint32(stream * 2246822519 + 374761393 & 0xFFFFFFFF)
        h = (h ^ (h >> np.uint32(15))) * np.uint32(739982445)
        h = (h ^ (h >> np.uint32(12))) * np.uint32(695872825)
        h ^= h >> np.uint32(15)
    return h / 2147483648.0 - 1.0


def weight(index, shape, scale, dtype):
    return (scale * number(100 + index, math.prod(shape)).reshape(shape)).astype(dtype)


def spiral(rows):
    """x (rows, 2) and classes (rows)."""
    row = np.arange(rows)
    radius = (row // 3 % 100) / 100
    angle = 4.0 * (row % 3) + 4.0 * radius + 0.3 * number(3, rows)
    return np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1), row % 3


def now():
    return time.perf_counter() if int(os.environ.get("THREADS", "1")) > 1 else time.process_time()


def serve(step, training=True):
    """step(number) returns what its loss, or sum, can be read from."""
    count = 0
    while training and count < CHECK_UPDATES:
        step(count)
        count += 1
    print(f"check {float(step(count)):.9g}", flush=True)
    count += 1
    for line in sys.stdin:
        turns = int(line)
        start = now()
        for _ in range(turns):
            step(count)
            count += 1
        print(f"{now() - start:.9g}", flush=True)


# ---- NumPy ----


class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, g):
        self.dW, self.db = np.dot(self.x.T, g), np.sum(g, axis=0)
        return np.dot(g, self.W.T)


class Sigmoid:
    def forward(self, x):
        self.y = 1 / (1 + np.exp(-x))
        return self.y

    def backward(self, g):
        return g * (1.0 - self.y) * self.y


class SoftmaxLoss:
    def forward(self, score, t):
        e = np.exp(score - score.max(axis=1, keepdims=True))
        self.y, self.t = e / e.sum(axis=1, keepdims=True), t
        return -np.sum(np.log(self.y[np.arange(len(t)), t] + 1e-30)) / len(t)

    def backward(self):
        g = self.y.copy()
        g[np.arange(len(self.t)), self.t] -= 1
        return g / len(self.t)


def batches(x, t, batch):
    return [(x[i : i + batch], t[i : i + batch]) for i in range(0, len(x), batch)]


def numpy_book(data, weights, rate):
    """Layers as objects that call each other, as books teach it."""
    affine1, sigmoid, affine2, loss = Affine(*weights[:2]), Sigmoid(), Affine(*weights[2:]), SoftmaxLoss()

    def step(number):
        x, t = data[number % len(data)]
        value = loss.forward(affine2.forward(sigmoid.forward(affine1.forward(x))), t)
        affine1.backward(sigmoid.backward(affine2.backward(loss.backward())))
        for layer in (affine1, affine2):
            layer.W -= rate * layer.dW
            layer.b -= rate * layer.db
        return value

    return step


def numpy_lean(data, weights, rate):
    """No objects, no transposed copies, buffers kept, one-hot rows made beforehand."""
    W1, b1, W2, b2 = weights
    eye = np.eye(3, dtype=W1.dtype)
    data = [(x, np.ascontiguousarray(x.T), eye[t]) for x, t in data]
    rows = len(data[0][0])
    h, back, slope = (np.empty((rows, 10), W1.dtype) for _ in range(3))
    y = np.empty((rows, 3), W1.dtype)
    ones = np.ones(rows, W1.dtype)
    factor = W1.dtype.type(rate / rows)

    def step(number):
        x, xT, hot = data[number % len(data)]
        np.dot(x, W1, out=h)
        np.add(h, b1, out=h)
        np.negative(h, out=h)
        np.exp(h, out=h)
        np.add(h, 1, out=h)
        np.reciprocal(h, out=h)
        np.dot(h, W2, out=y)
        np.add(y, b2, out=y)
        np.exp(y, out=y)  # scores stay small here: no maximum is taken
        np.divide(y, y.sum(axis=1, keepdims=True), out=y)
        loss = -np.log((y * hot).sum(axis=1)).mean() if number == CHECK_UPDATES else None
        np.subtract(y, hot, out=y)
        np.dot(y, W2.T, out=back)
        np.multiply(back, h, out=back)
        np.subtract(1, h, out=slope)
        np.multiply(back, slope, out=back)
        W2g, b2g = np.dot(h.T, y), np.dot(ones, y)
        W1g, b1g = np.dot(xT, back), np.dot(ones, back)
        np.subtract(W2, factor * W2g, out=W2)
        np.subtract(b2, factor * b2g, out=b2)
        np.subtract(W1, factor * W1g, out=W1)
        np.subtract(b1, factor * b1g, out=b1)
        return loss

    return step


# ---- PyTorch ----


def torch_start():
    import torch

    torch.set_num_threads(int(os.environ.get("THREADS", "1")))
    return torch


def torch_modules(data, weights, rate):
    """Modules, autograd and torch.optim, as tutorials do."""
    torch = torch_start()
    linear1, linear2 = torch.nn.Linear(2, 10), torch.nn.Linear(10, 3)
    model = torch.nn.Sequential(linear1, torch.nn.Sigmoid(), linear2).to(torch.from_numpy(weights[0]).dtype)
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), weights):
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(value.T)))
    loss_of = torch.nn.CrossEntropyLoss()
    solver = torch.optim.SGD(model.parameters(), lr=rate)
    data = [(torch.from_numpy(x), torch.from_numpy(t)) for x, t in data]

    def step(number):
        x, t = data[number % len(data)]
        solver.zero_grad()
        loss = loss_of(model(x), t)
        loss.backward()
        solver.step()
        return loss

    return step


def torch_lean(data, weights, rate):
    """The derivatives by hand, fused calls, no autograd: the fastest way that was found."""
    torch = torch_start()
    W1, b1, W2, b2 = (torch.from_numpy(value) for value in weights)
    eye = torch.eye(3, dtype=W1.dtype)
    data = [(torch.from_numpy(x), torch.from_numpy(x.T.copy()), eye[torch.from_numpy(t)]) for x, t in data]
    factor = rate / len(data[0][0])
    ones = torch.ones(len(data[0][0]), dtype=W1.dtype)

    @torch.no_grad()
    def step(number):
        x, xT, hot = data[number % len(data)]
        h = torch.addmm(b1, x, W1).sigmoid_()
        y = torch.addmm(b2, h, W2).softmax(1)
        loss = -(y * hot).sum(1).log().mean() if number == CHECK_UPDATES else None
        y.sub_(hot)
        back = torch.ops.aten.sigmoid_backward(y @ W2.t(), h)
        W2.addmm_(h.t(), y, alpha=-factor)
        b2.addmv_(y.t(), ones, alpha=-factor)
        W1.addmm_(xT, back, alpha=-factor)
        b1.addmv_(back.t(), ones, alpha=-factor)
        return loss

    return step


# ---- PyTorch, large layers ----


def torch_layers(torch, sizes, weights, activation):
    """Linear layers of these sizes with an activation between them."""
    modules = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        modules += [torch.nn.Linear(inputs, outputs), activation()]
    model = torch.nn.Sequential(*modules[:-1]).to(torch.from_numpy(weights[0]).dtype)
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), weights):
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(value.T)))
    return model


def training_step(torch, model, x, t, rate):
    loss_of = torch.nn.CrossEntropyLoss()
    solver = torch.optim.SGD(model.parameters(), lr=rate)

    def step(number):
        solver.zero_grad()
        loss = loss_of(model(x), t)
        loss.backward()
        solver.step()
        return loss

    return step


def prediction_step(torch, model, x):
    @torch.no_grad()
    def step(number):
        y = model(x)
        return (y.double().flatten() * (torch.arange(y.numel()) % 7 + 1)).sum() if number == 0 else 0

    return step


def torch_eager(x, t, weights, rate, sizes):
    """Modules, autograd and torch.optim."""
    torch = torch_start()
    model = torch_layers(torch, sizes, weights, torch.nn.ReLU)
    return training_step(torch, model, torch.from_numpy(x), torch.from_numpy(t), rate)


def torch_manual(x, t, weights, rate, sizes):
    """Derivatives by hand, products that add into weights, no autograd."""
    torch = torch_start()
    weights = [torch.from_numpy(value) for value in weights]
    x, hot = torch.from_numpy(x), torch.eye(sizes[-1], dtype=weights[0].dtype)[torch.from_numpy(t)]
    ones = torch.ones(len(x), dtype=x.dtype)
    factor = rate / len(x)

    @torch.no_grad()
    def step(number):
        values = [x]
        for W, b in zip(weights[:-2:2], weights[1:-2:2]):
            values.append(torch.addmm(b, values[-1], W).relu_())
        score = torch.addmm(weights[-1], values[-1], weights[-2]).log_softmax(1)
        loss = -(score * hot).sum(1).mean() if number == CHECK_UPDATES else None
        back = score.exp_().sub_(hot)
        for k in range(len(weights) - 2, -1, -2):
            here = back
            if k:
                back = (here @ weights[k].t()).mul_(values[k // 2] > 0)
            weights[k].addmm_(values[k // 2].t(), here, alpha=-factor)
            weights[k + 1].addmv_(here.t(), ones, alpha=-factor)
        return loss

    return step


def prediction(style, case, x, weights, sizes):
    """The outputs for one batch: modules as they are, or traced, frozen and optimised."""
    torch = torch_start()
    model = torch_layers(torch, sizes, weights, torch.nn.ReLU if case in LAYERS else torch.nn.Sigmoid).eval()
    x = torch.from_numpy(x)
    with torch.no_grad():
        if style == "torch_frozen":
            model = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, x)))
    return prediction_step(torch, model, x)


# ---- PyTorch, convolutions ----


def torch_lenet(torch, weights, last):
    """LeNet-5; with `last`, channels are innermost in memory."""
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2 if len(weights[4]) == 400 else 0), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(len(weights[4]), 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), weights):
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(value.T) if value.ndim == 2 else value))
    return model.to(memory_format=torch.channels_last) if last else model


def lenet(style, x, t, weights, rate):
    """A training step with modules, autograd and torch.optim, or a prediction."""
    torch = torch_start()
    last = style.endswith("channels_last")
    model = torch_lenet(torch, weights, last)
    x, t = torch.from_numpy(x.reshape(-1, 1, 28, 28)), torch.from_numpy(t)
    if last:
        x = x.to(memory_format=torch.channels_last)
    if "predict" in style:
        return prediction_step(torch, model, x)
    return training_step(torch, model, x, t, rate)


LENET = {"lenet": 400, "lenet_unpadded": 256}  # numbers that the dense layers read
LAYERS = {"mlp": [784, 512, 10], "mlp_large": [784, 2048, 2048, 10]}


def main(style, case, kind, rows, batch, scale, rate):
    dtype = np.float32 if kind == "f32" else np.float64
    rows, batch, scale, rate = int(rows), int(batch), float(scale), float(rate)
    sizes = LAYERS.get(case, [2, 10, 3])
    shapes = [shape for pair in zip(sizes, sizes[1:]) for shape in (pair, pair[1:])]
    if case in LENET:
        dense = [(LENET[case], 120), (120,), (120, 84), (84,), (84, 10), (10,)]
        shapes = [(6, 1, 5, 5), (6,), (16, 6, 5, 5), (16,), *dense]
    weights = [weight(i, shape, scale, dtype) for i, shape in enumerate(shapes)]
    if case in LAYERS or case in LENET:
        inputs = 784 if case in LENET else sizes[0]
        x, t = number(1, rows * inputs).reshape(rows, inputs), np.arange(rows) % 10
    else:
        x, t = spiral(rows)
    x = x.astype(dtype)
    if case in LENET:
        serve(lenet(style, x, t, weights, rate), training="predict" not in style)
    elif style in ("torch_predict", "torch_frozen"):
        serve(prediction(style, case, x, weights, sizes), training=False)
    elif case in LAYERS:
        serve(globals()[style](x, t, weights, rate, sizes))
    else:
        serve(globals()[style](batches(x, t, batch), weights, rate))


if __name__ == "__main__":
    main(*sys.argv[1:])
