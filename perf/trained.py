"""What are picks worth when they are trained? Ten networks by `pick` and ten at random from one front, trained equally.

    python perf/trained.py IMAGES [--device raspi4] [--max-latency MS] [--train 10000] [--epochs 8] [--work FOLDER]

IMAGES is what `llmnas train --data` takes, for example /usr/share/datasets/fashion-mnist. A default search makes the
front; pick's ten are chosen as `llmnas train ID --top 10` chooses them, the others drawn from that front with the
seed. All are trained for the same number of epochs on the first --train images. Told: held-out and test accuracies of
both groups, and Spearman's correlation of what is known earlier (score, and accuracies after fewer epochs) with the
last epoch's, over all networks. The work folder keeps what was trained, so that a run goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from llmnas_agents.laboratory import open_laboratory
from llmnas_agents.runner import run
from scipy.stats import spearmanr

from llmnas_mcp.images import load_images
from llmnas_mcp.reports import to_train
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.settings import Settings
from llmnas_mcp.training import Ask, Campaign, Rung, Trained, recipe_for

COUNT = 10


async def search(store: str, asked: dict[str, Any]) -> str:
    """A default search; its id."""
    async with open_laboratory(store=store) as lab:
        started = await lab.start_search(**asked)
        await run(lab, started.search_id, store, None, lambda _: None)
        return started.search_id


def main() -> None:
    """Search, train, and print what became of both groups."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images")
    parser.add_argument("--device", default="raspi4")
    parser.add_argument("--max-latency", type=float)
    parser.add_argument("--train", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "llmnas-trained")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    store = f"sqlite:///{args.work}/llmnas.db"
    asked = {"device": args.device, "max_latency": args.max_latency, "seed": args.seed}
    search_id = asyncio.run(search(store, {name: value for name, value in asked.items() if value is not None}))
    lab = Laboratory(Settings(store=store, data=args.work))
    handle, members = lab.members(search_id)
    space, scores = handle.space, {handle.space.canonical(m.genotype): m.score for m in members}
    front = list(dict.fromkeys(space.canonical(m.genotype) for m in handle.near_front(members)))
    picked = [space.canonical(space.parse(architecture)) for architecture in to_train(handle, members, COUNT)]
    drawn = [front[i] for i in np.random.default_rng(args.seed).permutation(len(front))[:COUNT]]
    networks = list(dict.fromkeys([*picked, *drawn]))
    print(f"{search_id}: {len(front)} on the front or near it, {len(networks)} networks to train", flush=True)

    images = load_images(args.images, args.work)
    images = dataclasses.replace(images, train_x=images.train_x[: args.train], train_y=images.train_y[: args.train])
    known: dict[tuple[str, int], Trained] = {}
    work = args.work / "trained.jsonl"
    for line in work.read_text(encoding="utf-8").splitlines() if work.exists() else ():
        key, values = json.loads(line)
        known[key, values["epochs"]] = Trained(**values)

    rungs = [Rung(len(networks), epochs) for epochs in range(1, args.epochs + 1)]
    ask = Ask(space, networks, images, recipe_for(space, images, None), rungs, args.seed)
    with Campaign(ask, args.work) as campaign:
        keys = {course.genotype: course.key for course in campaign.courses}
        key_of = {space.format(genotype): key for genotype, key in keys.items()}

        def remember(record: Trained) -> None:
            key = key_of[record.architecture]
            known[key, record.epochs] = record
            with work.open("a", encoding="utf-8") as file:
                file.write(json.dumps([key, dataclasses.asdict(record)]) + "\n")
            print(f"{space.short(space.parse(record.architecture))} {record.epochs} {record.valid:.2f}", flush=True)

        print(f"about {campaign.estimate(lambda key, epochs: known.get((key, epochs))):.0f} s", flush=True)
        campaign.train(lambda key, epochs: known.get((key, epochs)), remember)

    at = {epoch: [known[keys[g], epoch] for g in networks] for epoch in range(1, args.epochs + 1)}
    last = dict(zip(networks, at[args.epochs], strict=True))
    for name, group in (("pick", picked), ("random", drawn)):
        print(f"\n{name}: architecture, score, held out after 1 and {args.epochs} epochs, test")
        for genotype in group:
            first, record = known[keys[genotype], 1], last[genotype]
            print(
                f"{space.short(genotype)} {scores[genotype]:.4f} {first.valid:.2f} {record.valid:.2f} {record.test:.2f}"
            )
        tests = [last[genotype].test for genotype in group]
        chosen = max(group, key=lambda genotype: last[genotype].valid)
        print(f"mean {np.mean(tests):.2f}, best by held-out images {last[chosen].test:.2f}, first {tests[0]:.2f}")
    print("\nSpearman's correlation with the accuracy of the last epoch on held-out images, over all networks:")
    final = [record.valid for record in at[args.epochs]]
    print(f"score {spearmanr([scores[genotype] for genotype in networks], final).statistic:.3f}")
    for epoch in range(1, args.epochs):
        print(f"epoch {epoch} {spearmanr([record.valid for record in at[epoch]], final).statistic:.3f}")


if __name__ == "__main__":
    main()
