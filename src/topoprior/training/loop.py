"""The training loop: phases of steps on Lightning Fabric, looked at in between, resumable to the same end.

All that a step does follows from the weights, the optimiser's state, the seed and the step's number. So the state that
is saved at each look at the validation images is all that a later process needs to go on as if nothing had happened,
and several processes that draw the same batch and take equal shares of it do what one would do.
"""

from __future__ import annotations

import copy
import math
from collections import defaultdict
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from topoprior.training import draws
from topoprior.training.objectives import scores
from topoprior.training.phase import Phase, learning_rate
from topoprior.training.result import PhaseResult

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from topoprior.training.cases import Cases
    from topoprior.training.phase import Steps, Updates
    from topoprior.training.records import Records
    from topoprior.training.settings import PriorSettings

Weights = dict[str, Tensor]
Progress = Callable[[str, int, int, dict[str, float]], None]
"""Called with phase, step, steps of the phase, and the latest losses and validation scores."""
Save = Callable[[dict[str, Any]], None]

_VALIDATION_BATCH = 16


@dataclass(eq=False)
class Loop:
    """What all phases of a run share.

    Attributes:
        fabric: Launched.
        network: The module itself, on the device of the fabric.
        validation: Looked at between steps, with labels.
        scoring: Conventions of topology in validation.
        seed: Of every random choice.
        records: The log.
        save: Keeps a state on disk; called in the first process alone.
        progress: Told after every step; None for nobody.
    """

    fabric: Fabric
    network: nn.Module
    validation: Cases
    scoring: PriorSettings
    seed: int
    records: Records
    save: Save
    progress: Progress | None = None
    wrapped: Any = field(init=False)

    def __post_init__(self) -> None:
        self.wrapped = self.fabric.setup_module(self.network)

    def run(self, phases: list[Phase], state: dict[str, Any] | None = None) -> tuple[PhaseResult, ...]:
        """Run the phases, each from the state that the one before kept, or go on from a saved state.

        The network has the weights that the last phase kept when this returns.
        """
        state = state or {"finished": [], "total": 0}
        if "network" in state:
            self.network.load_state_dict(state["network"])
        for place in range(len(state["finished"]), len(phases)):
            if "phase" not in state:
                state |= self._beginning(phases[place], state["total"])
            done = self._phase(phases[place], state)
            state = {
                "finished": [*state["finished"], asdict(done)],
                "total": state["total"] + done.steps,
                "network": self._weights(),
            }
            self._keep(state)
        return tuple(PhaseResult(**one) for one in state["finished"])

    def _beginning(self, phase: Phase, total: int) -> dict[str, Any]:
        if phase.fresh:
            renew(self.network, draws.number(self.seed, "fresh", phase.name))
        start = self._weights()
        self._record(phase, 0, total, {f"facts/{name}": value for name, value in phase.facts})
        return {"phase": phase.name, "step": 0, "start": start, "network": start, "stale": 0, "best": None}

    def _phase(self, phase: Phase, state: dict[str, Any]) -> PhaseResult:
        """One phase from wherever the state is in it."""
        duration = phase.duration
        self.network.load_state_dict(state["start"])
        self.network.eval()
        steps = phase.begin(self.network)
        self.network.load_state_dict(state["network"])
        optimiser: Any = self.fabric.setup_optimizers(
            torch.optim.AdamW(self.network.parameters(), lr=duration.learning_rate, weight_decay=duration.weight_decay)
        )
        if "optimiser" in state:
            optimiser.load_state_dict(state["optimiser"])
            self.fabric.strategy.precision.load_state_dict(state["precision"])
        if state["best"] is None:
            self._look(phase, state, optimiser, {})
        losses: dict[str, list[float]] = defaultdict(list)
        while state["step"] < duration.steps and state["stale"] < duration.patience:
            step = state["step"]
            self._step(phase, step, steps, optimiser, losses)
            state["step"] = step + 1
            if self.progress is not None:
                latest = {name: values[-1] for name, values in losses.items()}
                self.progress(phase.name, step + 1, duration.steps, latest)
            if (step + 1) % duration.validate_every == 0 or step + 1 == duration.steps:
                self._look(phase, state, optimiser, losses)
                losses.clear()
        best = state["best"]
        self.network.load_state_dict(best["weights"])
        early = state["step"] < duration.steps
        reason = "no better for a while" if early else "no more steps"
        return PhaseResult(phase.name, state["step"], best["step"], reason, best["validation"])

    def _step(self, phase: Phase, step: int, steps: Steps, optimiser: Any, losses: dict[str, list[float]]) -> None:
        self.wrapped.train()
        torch.manual_seed(draws.number(self.seed, "layers", phase.name, step, self.fabric.global_rank))  # dropout
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(phase.duration, step)
        updates: Updates = steps(step)
        for update in updates:
            optimiser.zero_grad()
            for part in update:
                with nullcontext() if part is update[-1] else self.fabric.no_backward_sync(self.wrapped):
                    found = part(self.wrapped)
                    self.fabric.backward(torch.stack([loss.weight * loss.value for loss in found]).sum())
                for loss in found:
                    losses[loss.name].append(loss.value.item())
                    if not math.isfinite(losses[loss.name][-1]):
                        raise ValueError(
                            f"the {loss.name} loss became {losses[loss.name][-1]} in step {step + 1} of the phase "
                            f"{phase.name}: lower its learning_rate"
                        )
            optimiser.step()

    def _look(self, phase: Phase, state: dict[str, Any], optimiser: Any, losses: dict[str, list[float]]) -> None:
        """Score the validation images, keep the state if it is the best, and save where the run is."""
        found = self.validate()
        values = {"dice": found["dice"], "topology": -found.get("topology", 0.0), "last": float(state["step"])}
        value = values[phase.keep]
        if state["best"] is None or value > state["best"]["value"]:
            state["best"] = {
                "value": value,
                "step": state["step"],
                "weights": self._weights(),
                "validation": found,
            }
            state["stale"] = 0
        else:
            state["stale"] += 1
        means = {name: self._mean_over_processes(values) for name, values in losses.items()}
        self._record(
            phase,
            state["step"],
            state["total"] + state["step"],
            {f"train/{name}": value for name, value in means.items()}
            | {f"validation/{name}": value for name, value in found.items()},
        )
        if self.progress is not None:
            named = {f"validation {name}": value for name, value in found.items()}
            self.progress(phase.name, state["step"], phase.duration.steps, named)
        state["network"] = self._weights()
        state["optimiser"] = copy.deepcopy(optimiser.state_dict())
        state["precision"] = self.fabric.strategy.precision.state_dict()
        self._keep(state)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Mean Dice of the validation images, and with priors the share of right topologies and the mean loss."""
        self.network.eval()
        cases = self.validation
        if cases.labels is None:
            raise ValueError("the validation cases must have labels, got none")
        mine = torch.arange(self.fabric.global_rank, len(cases), self.fabric.world_size)
        total = torch.zeros(3, dtype=torch.float64, device=self.fabric.device)
        for part in torch.split(mine, _VALIDATION_BATCH):
            chosen = cases.select(part)
            assert chosen.labels is not None
            # Not the wrapped network: processes with unequal numbers of batches would wait for each other.
            logits = self.network(chosen.images.to(self.fabric.device))
            priors = None if chosen.priors is None else list(chosen.priors)
            total += scores(logits, chosen.labels.to(self.fabric.device), priors, self.scoring)
        means = (self._sum_over_processes(total) / len(cases)).tolist()
        names = ("dice",) if cases.priors is None else ("dice", "success", "topology")
        return dict(zip(names, means, strict=False))

    def _record(self, phase: Phase, step: int, total: int, values: dict[str, float]) -> None:
        """One line in the log of the first process."""
        if self.fabric.is_global_zero and values:
            self.records.add(phase.name, step, total, values)

    def _keep(self, state: dict[str, Any]) -> None:
        if self.fabric.is_global_zero:
            self.save({**state, "records": len(self.records.all)})

    def _weights(self) -> Weights:
        return {name: value.detach().cpu().clone() for name, value in self.network.state_dict().items()}

    def _sum_over_processes(self, values: Tensor) -> Tensor:
        return cast("Tensor", self.fabric.all_reduce(values, reduce_op="sum"))

    def _mean_over_processes(self, values: list[float]) -> float:
        mean = torch.tensor(sum(values) / len(values), dtype=torch.float64, device=self.fabric.device)
        processes: int = self.fabric.world_size
        return self._sum_over_processes(mean).item() / processes


def renew(network: nn.Module, seed: int) -> None:
    """Draw the weights anew, in place, as the layers were first made."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in network.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
