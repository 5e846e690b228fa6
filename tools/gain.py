"""Compare ISDA with cross-entropy on scikit-learn's digits, with paired seeds; about a minute on a laptop.

    python tools/gain.py                   pairs of runs; prints a table, saves a figure in work_dirs/gain
    python tools/gain.py --sweep           select LAMBDA_0 on held-out images with other seeds
    python tools/gain.py --segmentation    synthetic street scenes instead of digits; mIoU with logit adjustment

Both runs of a pair share images, initial weights and batches; they differ only in ISDA. The network fits its ten
training images per digit completely, so that a regulariser can help. Network and schedule were selected among about a
dozen on the half of the data that --sweep uses. The comparison uses the other half and other seeds.
"""
import argparse
import sys
from concurrent.futures import ProcessPoolExecutor

import torch
from sklearn.datasets import load_digits
from torch import nn

from isda_seg.attach import attach
from isda_seg.core import linear_ramp
from isda_seg.criterion import ISDACriterion
from isda_seg.metrics.likelihood import likelihood, measures
from isda_seg.paper.series.gain_report import compare_strengths, draw, report
from isda_seg.runtime.arguments import add_out, result_file
from isda_seg.runtime.provenance import provenance, write_json
from isda_seg.runtime.user_errors import run_main

LAMBDA_0, PAIRS = 2, 30
SWEPT = (0, 0.5, 1, 2, 3)
SWEEP_SEEDS = range(1000, 1020)
PER_CLASS, BATCH, EPOCHS = 10, 10, 30
MEASURES = SWEPT_MEASURES = {'error': 'test error, %', 'nll': 'negative log-likelihood',
                             'ece': 'expected calibration error, %', 'train': 'training accuracy, %'}


def digits(seed, held_out=False):
    """Sample ten training images per digit and about 800 test images from one half of the data."""
    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32)[:, None] / 16
    labels = torch.tensor(data.target)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    pool = order[897:] if held_out else order[:897]
    pool = pool[torch.randperm(len(pool), generator=torch.Generator().manual_seed(seed))]
    train = torch.cat([pool[labels[pool] == digit][:PER_CLASS] for digit in range(10)])
    test = pool[~torch.isin(pool, train)]
    return images[train], labels[train], images[test], labels[test]


def network(width=256):
    """Three hidden layers and a linear classifier on the deep feature."""
    layers = [nn.Flatten()]
    for inputs in (64, width, width):
        layers += [nn.Linear(inputs, width, bias=False), nn.BatchNorm1d(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, 10))


def run(seed, lambda_0, held_out=False):
    """Train with one seed and one final strength (0: cross-entropy), and return the measures."""
    torch.set_num_threads(1)
    images, labels, test_images, test_labels = digits(seed, held_out)
    torch.manual_seed(seed)
    model, criterion = network(), ISDACriterion(covariance='full')
    attach(criterion, model[-1])
    steps = EPOCHS * len(images) // BATCH
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    batches = torch.cat([torch.randperm(len(images)) for _ in range(EPOCHS)]).split(BATCH)
    for step, batch in enumerate(batches, 1):
        criterion.strength = linear_ramp(step, steps, lambda_0)
        loss = criterion(model(images[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()
    with torch.no_grad():
        logits, fitted = model(test_images), model(images).argmax(dim=1) == labels
    return dict(measures([likelihood(logits, test_labels)]), train=100 * float(fitted.float().mean()),
                error=100 * float((logits.argmax(dim=1) != test_labels).float().mean()))


def run_all(experiment, strengths, seeds, held_out):
    """Run all strengths and seeds in parallel; return {strength: [measures of each seed]}."""
    with ProcessPoolExecutor() as pool:
        futures = {strength: [] for strength in strengths}
        for seed in seeds:
            for strength in strengths:
                futures[strength].append(pool.submit(experiment.run, seed, strength, held_out))
        return {strength: [future.result() for future in runs] for strength, runs in futures.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--segmentation', action='store_true',
                        help='use synthetic street scenes; needs the extras gain and seg')
    parser.add_argument('--sweep', action='store_true', help='compare several lambda_0 on held-out images')
    parser.add_argument('--pairs', type=int, help=f'number of pairs; default {PAIRS}, fewer with --segmentation')
    parser.add_argument('--first-seed', type=int, default=0, help='seed of the first pair; default %(default)s')
    add_out(parser, 'work_dirs/gain/pairs.json; with --sweep sweep.json, with --segmentation segmentation_*.json')
    args = parser.parse_args()
    name = f'{"segmentation_" if args.segmentation else ""}{"sweep" if args.sweep else "pairs"}'
    out = result_file(args.out, f'work_dirs/gain/{name}.json', figures=['.png'])
    if args.segmentation:
        import gain_segmentation as experiment
    else:
        experiment = sys.modules[__name__]
    strengths = experiment.SWEPT if args.sweep else (0, experiment.LAMBDA_0)
    judged = range(args.first_seed, args.first_seed + (args.pairs or experiment.PAIRS))
    seeds = experiment.SWEEP_SEEDS if args.sweep else judged
    names = experiment.SWEPT_MEASURES if args.sweep else experiment.MEASURES
    arms = run_all(experiment, strengths, seeds, held_out=args.sweep)
    found = compare_strengths(arms, names)
    print(report(found, names))
    write_json(out, dict(provenance(), kind=f'gain {name}', lambda_0=experiment.LAMBDA_0, seeds=list(seeds),
                         arms=arms, comparison=found))
    draw(found, names, out.with_suffix('.png'))
    print(f'wrote {out} and {out.with_suffix(".png")}')


if __name__ == '__main__':
    run_main(main)
