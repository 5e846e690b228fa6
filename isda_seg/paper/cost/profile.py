"""Breakdown of the extra time into statistics, margin table and addition."""
from collections.abc import Callable
from typing import Any

import torch

from isda_seg.attachment.label_grid import labels_on_grid
from isda_seg.core import ClassStatistics, isda_cross_entropy, margin_variance
from isda_seg.core.margin import label_margin_variance
from isda_seg.paper.cost.compared_losses import STRENGTH, baseline_loss, forward_backward, isda_loss, literal_form
from isda_seg.paper.cost.meter import Meter
from isda_seg.paper.cost.timing import alternate, differences, quartiles
from isda_seg.paper.cost.workload import IGNORED, Tensors, Workload, make_tensors

COMPONENTS = ('statistics', 'table', 'addition')
LITERAL_COMPONENTS = ('literal statistics', 'literal loss with cross-entropy')


def profile(workload: Workload, meter: Meter, rounds: int) -> dict[str, Any]:
    """Time cross-entropy, ISDA and its components in alternation; with full covariances also those of the literal form.

    The addition may be fused with cross-entropy. Its time is that of Eq. 7 minus the table and cross-entropy.
    ``rest`` is the extra time that the components do not explain, such as input checks and cache misses.
    """
    tensors = make_tensors(workload, meter.device)
    functions = {'plain': forward_backward(baseline_loss(tensors), tensors),
                 'isda': forward_backward(isda_loss(tensors, workload), tensors), **components(tensors, workload)}
    if workload.covariance == 'full':
        functions |= literal_components(tensors, workload)
    samples = alternate(functions, rounds, meter.seconds)
    samples['addition'] = differences(differences(samples['Eq. 7'], samples['table']), samples['plain'])
    timed = [name for name in (*COMPONENTS, *LITERAL_COMPONENTS) if name in samples]
    extra, parts = quartiles(differences(samples['isda'], samples['plain'])), {n: quartiles(samples[n]) for n in timed}
    return dict(workload.describe(), plain=quartiles(samples['plain']), extra=extra, pieces=parts, samples=samples,
                rest=extra['median'] - sum(parts[name]['median'] for name in COMPONENTS))


def components(tensors: Tensors, workload: Workload) -> dict[str, Callable[[], object]]:
    """Return the components: statistics, and forward and backward of the table and of the complete Eq. 7."""
    features, labels, classifier, logits = tensors
    statistics = ClassStatistics(workload.classes, workload.features[1], workload.covariance).to(features.device)
    size = tuple(features.shape[2:])

    def observe() -> None:
        statistics.observe(features, labels_on_grid(labels, size, workload.align_corners), IGNORED)

    def table() -> None:
        weight = classifier.weight.flatten(1)
        result = margin_variance(weight, statistics.covariance) if workload.pixels else \
            label_margin_variance(weight, statistics.covariance, labels)
        torch.autograd.grad(result, classifier.weight, torch.ones_like(result))

    def equation_7() -> torch.Tensor:
        return isda_cross_entropy(logits, labels, classifier.weight.flatten(1), statistics.covariance, STRENGTH,
                                  ignore_index=IGNORED)

    return {'statistics': observe, 'table': table, 'Eq. 7': forward_backward(equation_7, tensors)}


def literal_components(tensors: Tensors, workload: Workload) -> dict[str, Callable[[], object]]:
    """Return the statistics and the loss of the literal form; the loss includes cross-entropy, forward and backward."""
    features, labels, classifier, logits = tensors
    form = literal_form(tensors, workload)
    rows, on_grid = form.rows(features, labels, workload.align_corners)
    size = tuple(features.shape[2:])

    def loss() -> torch.Tensor:
        return form.loss(logits, labels, size, on_grid, classifier.weight, workload.align_corners)

    return dict(zip(LITERAL_COMPONENTS, (lambda: form.observe(rows, on_grid), forward_backward(loss, tensors)),
                    strict=True))
