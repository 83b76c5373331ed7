"""The multilayer perceptron among the learners: two layers in torch, trained with early stopping inside the training rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["apply_network", "fit_network"]

Floats32 = npt.NDArray[np.float32]

_BATCH = 64
_PATIENCE = 8
_HELD_OUT = 0.15


def fit_network(
    x: Floats32, y: npt.NDArray[np.int64], parameters: Mapping[str, float], balance: float, seed: int
) -> dict[str, npt.NDArray[Any]]:
    """Return the weights of a network of one hidden layer, at the epoch with the lowest loss on held-out training rows.

    Parameters
    ----------
    x, y
        Prepared training rows, shapes (n, k) and (n,).
    parameters
        hidden, dropout, learning_rate, weight_decay, epochs.
    balance
        Weight of a case against a control.
    seed
        Of initial weights, order, dropout and the held-out rows.
    """
    import torch
    from sklearn.model_selection import train_test_split

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        enough = min(int(y.sum()), int(y.size - y.sum())) >= 8
        index = np.arange(y.size)
        train, held = (
            train_test_split(index, test_size=_HELD_OUT, stratify=y, random_state=seed) if enough else (index, index)
        )
        data, target = (
            torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)),
            torch.from_numpy(y.astype(np.float32)),
        )
        network = torch.nn.Sequential(
            torch.nn.Linear(x.shape[1], int(parameters["hidden"])),
            torch.nn.ReLU(),
            torch.nn.Dropout(parameters["dropout"]),
            torch.nn.Linear(int(parameters["hidden"]), 1),
        )
        loss = torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor([balance], dtype=torch.float32))
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=parameters["learning_rate"], weight_decay=parameters["weight_decay"]
        )
        best, since, kept = float("inf"), 0, _state(network)
        for _ in range(int(parameters["epochs"])):
            network.train()
            for part in torch.from_numpy(train)[torch.randperm(len(train))].split(_BATCH):
                optimizer.zero_grad()
                loss(network(data[part])[:, 0], target[part]).backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), 3.0)
                optimizer.step()
            network.eval()
            with torch.no_grad():
                now = float(loss(network(data[held])[:, 0], target[held]))
            best, since, kept = (now, 0, _state(network)) if now < best else (best, since + 1, kept)
            if since >= _PATIENCE:
                break
    return kept


def _state(network: Any) -> dict[str, npt.NDArray[Any]]:
    return {name.replace(".", "_"): value.detach().numpy().copy() for name, value in network.state_dict().items()}


def apply_network(arrays: Mapping[str, npt.NDArray[Any]], x: Floats32) -> npt.NDArray[np.float64]:
    """Return the risk of each row from the weights of `fit_network`: no torch is needed for that."""
    from scipy.special import expit

    hidden = np.maximum(x @ arrays["0_weight"].T + arrays["0_bias"], 0.0)
    return np.asarray(expit(hidden @ arrays["3_weight"][0] + arrays["3_bias"][0]), dtype=np.float64)
