"""The slow, literal oracle: the equations of arXiv:2007.10538v5 as they stand, in float64 and nested loops.

It imports nothing of the package, so that an error in the package cannot hide in the oracle. Shape letters: N samples,
C classes, A feature channels. Everything is differentiable by autograd; nothing here is meant to be fast.
Covariances are (C, A) diagonal or (C, A, A) full; a leading dimension of 1 means that all classes share it.
"""

import math

import torch


def batch_moments(features, labels, num_classes, ignore_index=None):
    """m_j, mu'_j and Sigma'_j of a mini-batch (next to Eqs. 1-3): full covariance, divided by m_j, zeros if empty."""
    features = features.detach().double()
    channels = features.shape[1]
    count = torch.zeros(num_classes, dtype=torch.int64)
    mean = torch.zeros(num_classes, channels, dtype=torch.float64)
    covariance = torch.zeros(num_classes, channels, channels, dtype=torch.float64)
    for j in range(num_classes):
        rows = [features[i] for i, y in enumerate(labels.tolist()) if y == j and y != ignore_index]
        if not rows:
            continue
        count[j] = len(rows)
        for row in rows:
            mean[j] += row / len(rows)
        for row in rows:
            covariance[j] += torch.outer(row - mean[j], row - mean[j]) / len(rows)
    return count, mean, covariance


def running_moments(before, batch):
    """Eqs. 1-3: fold the moments (m, mu', Sigma') of a mini-batch into the running (n, mu, Sigma); full covariance."""
    n_before, mu_before, sigma_before = before
    m, mu_batch, sigma_batch = batch
    n_after = n_before + m  # Eq. 3
    mu_after, sigma_after = torch.zeros_like(mu_before), torch.zeros_like(sigma_before)
    for j in range(len(n_before)):
        n, k = float(n_before[j]), float(m[j])
        if n + k == 0:
            continue
        mu_after[j] = (n * mu_before[j] + k * mu_batch[j]) / (n + k)  # Eq. 1
        shift = mu_before[j] - mu_batch[j]
        sigma_after[j] = (n * sigma_before[j] + k * sigma_batch[j]) / (n + k) \
            + n * k * torch.outer(shift, shift) / (n + k) ** 2  # Eq. 2
    return n_after, mu_after, sigma_after


def diagonal(covariance):
    """The diagonal elements (C, A) of full covariances (C, A, A): Table 8's 'diagonal matrix'."""
    return torch.stack([torch.stack([sigma[a, a] for a in range(len(sigma))]) for sigma in covariance])


def shared_covariance(features):
    """Table 8's 'single covariance matrix' (1, A, A): of all features about their one mean, divided by N."""
    return batch_moments(features, torch.zeros(len(features), dtype=torch.int64), 1)[2]


def of_class(covariance, y):
    """Sigma_y: (A,) diagonal or (A, A) full; the only one there is where the leading dimension is 1."""
    return covariance[0] if len(covariance) == 1 else covariance[y]


def quadratic_form(v, sigma):
    """v^T Sigma v by loops over the channels, for a diagonal (A,) or a full (A, A) Sigma."""
    total = v.new_zeros(())
    for a in range(len(v)):
        if sigma.ndim == 1:
            total = total + v[a] * sigma[a] * v[a]
        else:
            for b in range(len(v)):
                total = total + v[a] * sigma[a, b] * v[b]
    return total


def margin_variance(weight, covariance):
    """v[y, c] = (w_c - w_y)^T Sigma_y (w_c - w_y), the variance inside Eq. 7: nested loops over y, c and channels."""
    rows = []
    for y in range(len(weight)):
        sigma = of_class(covariance, y)
        rows.append(torch.stack([quadratic_form(weight[c] - weight[y], sigma) for c in range(len(weight))]))
    return torch.stack(rows)


def penalised_logits(logits, labels, weight, covariance, strength):
    """The exponents of Eq. 7's denominator, by N x C x A (diagonal) or N x C x A x A (full) tensors; rows (N, C)."""
    v = weight[None, :, :] - weight[labels][:, None, :]
    sigma = torch.stack([of_class(covariance, int(y)) for y in labels])
    if covariance.ndim == 2:
        variance = (v * v * sigma[:, None, :]).sum(-1)
    else:
        variance = (v[..., :, None] * v[..., None, :] * sigma[:, None, :, :]).sum((-1, -2))
    return logits + strength / 2 * variance


def isda_cross_entropy(logits, labels, weight, covariance, strength, ignore_index=None):
    """Eq. 7, Proposition 1: the loss of each labelled row, (n,); ignored rows are removed before anything else."""
    kept = [i for i, y in enumerate(labels.tolist()) if y != ignore_index]
    logits, labels = logits[kept], labels[kept]
    penalised = penalised_logits(logits, labels, weight, covariance, strength)
    losses = []
    for i, y in enumerate(labels.tolist()):
        losses.append(-(logits[i, y] - torch.logsumexp(penalised[i], dim=0)))
    return torch.stack(losses)


def soft_moments(features, targets):
    """Moments in which sample i counts p_iy for class y: n_y, mu_y and the full covariance about mu_y; loops."""
    (samples, channels), classes = features.shape, targets.shape[1]
    count = torch.zeros(classes, dtype=torch.float64)
    mean = torch.zeros(classes, channels, dtype=torch.float64)
    covariance = torch.zeros(classes, channels, channels, dtype=torch.float64)
    for y in range(classes):
        count[y] = sum(float(targets[i, y]) for i in range(samples))
        for i in range(samples):
            if count[y]:
                mean[y] += float(targets[i, y]) / count[y] * features[i].double()
        for i in range(samples):
            if count[y]:
                shift = features[i].double() - mean[y]
                covariance[y] += float(targets[i, y]) / count[y] * torch.outer(shift, shift)
    return count, mean, covariance


def soft_isda_cross_entropy(logits, targets, weight, covariance, strength):
    """sum_y p_y (Eq. 7 with the label y), by loops over samples, labels and classes; (N,)."""
    losses = []
    for z, p in zip(logits, targets, strict=True):
        total = z.new_zeros(())
        for y in range(len(weight)):
            exponents = [z[c] + strength / 2 * quadratic_form(weight[c] - weight[y], of_class(covariance, y))
                         for c in range(len(weight))]
            total = total + p[y] * (torch.logsumexp(torch.stack(exponents), dim=0) - z[y])
        losses.append(total)
    return torch.stack(losses)


def square_root(sigma):
    """R with R R^T = Sigma, for a diagonal or a full positive semi-definite Sigma, singular ones included."""
    if sigma.ndim == 1:
        return torch.diag(sigma.sqrt())
    values, vectors = torch.linalg.eigh(sigma)
    return vectors * values.clamp(min=0).sqrt()


def augmented_features(feature, sigma, strength, num_samples, generator):
    """Eq. 4 (and Eq. 12): num_samples draws of a~ ~ N(a, lambda Sigma); (num_samples, A)."""
    noise = torch.randn(num_samples, len(feature), dtype=torch.float64, generator=generator)
    return feature + math.sqrt(strength) * noise @ square_root(sigma).T


def sampled_cross_entropy(features, labels, weight, bias, covariance, strength, num_samples, generator):
    """Eq. 5: mean over samples and draws of the cross-entropy of explicitly augmented features."""
    losses = []
    for feature, y in zip(features, labels.tolist(), strict=True):
        draws = augmented_features(feature, of_class(covariance, y), strength, num_samples, generator)
        losses.append(-torch.log_softmax(draws @ weight.T + bias, dim=1)[:, y].mean())
    return torch.stack(losses).mean()


def expected_two_class_loss(margin, variance):
    """Eq. 6 for two classes, no sampling: E[log(1 + exp(u))], u ~ N(margin, variance), by the trapezoid rule."""
    x = torch.linspace(-12, 12, 200_001, dtype=torch.float64)
    density = torch.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return torch.trapezoid(density * torch.nn.functional.softplus(margin + math.sqrt(variance) * x), x)


def sampled_consistency(features, targets, weight, bias, covariance, strength, num_samples, generator):
    """Eq. 14 with M draws in place of the expectation: the mean of -sum_k p_k log p~_k over rows and draws."""
    losses = []
    for feature, target in zip(features, targets, strict=True):
        sigma = of_class(covariance, int(target.argmax()))
        draws = augmented_features(feature, sigma, strength, num_samples, generator)
        losses.append(-(target * torch.log_softmax(draws @ weight.T + bias, dim=1)).sum(1).mean())
    return torch.stack(losses).mean()


def isda_consistency(logits, weight, covariance, strength, targets):
    """Eq. 15, Proposition 2: the triple loop over rows i, classes k and classes j; the value of each row, (N,)."""
    losses = []
    for i in range(len(logits)):
        sigma = of_class(covariance, int(targets[i].argmax()))  # the pseudo label of Eq. 12
        total = logits.new_zeros(())
        for k in range(len(weight)):
            denominator = logits.new_zeros(())
            for j in range(len(weight)):
                variance = quadratic_form(weight[j] - weight[k], sigma)
                denominator = denominator + torch.exp(logits[i, j] + strength / 2 * variance)
            total = total - targets[i, k] * torch.log(torch.exp(logits[i, k]) / denominator)
        losses.append(total)
    return torch.stack(losses)


def entropy(probabilities):
    """H(p) = -sum_k p_k log p_k of each row: what Eq. 15 leaves at strength 0."""
    return torch.stack([-sum(p * torch.log(p) for p in row if p > 0) for row in probabilities])


def linear_ramp(step, total, final):
    """lambda = (t / T) lambda_0 (below Eq. 4), and lambda_0 once t has passed T."""
    return final if step >= total else final * step / total


def floor_nearest_labels(labels, size):
    """The authors' segmentation recipe: labels (B, H, W) at rows floor(i H / h), columns floor(j W / w): (B, h, w)."""
    (h, w), (height, width) = size, labels.shape[1:]
    return torch.stack([torch.stack([labels[:, i * height // h, j * width // w] for j in range(w)], dim=1)
                        for i in range(h)], dim=1)


def grid_moments(before, features, small_labels, ignore_index):
    """Eqs. 1-3 over the feature vectors (B, A, h, w) whose grid label (B, h, w) is not ignored; full covariance."""
    n, mu, _ = before
    samples = torch.stack([features[b, :, i, j] for b in range(features.shape[0])
                           for i in range(features.shape[2]) for j in range(features.shape[3])])
    return running_moments(before, batch_moments(samples, small_labels.flatten(), len(n), ignore_index))


def corner_position(i, small, large):
    """Where pixel i of ``large`` lies among ``small`` if both ends coincide: the pixel before it, how far beyond."""
    if large == 1:
        return 0, 0.0
    return i * (small - 1) // (large - 1), i * (small - 1) % (large - 1) / (large - 1)


def bilinear_with_corners(maps, size):
    """Bilinear interpolation of (B, C, h, w) to (B, C, H, W) with the corner pixels kept in the corners."""
    (h, w), rows = maps.shape[2:], []
    for i in range(size[0]):
        top, s = corner_position(i, h, size[0])
        bottom, row = min(top + 1, h - 1), []
        for j in range(size[1]):
            left, t = corner_position(j, w, size[1])
            right = min(left + 1, w - 1)
            row.append((1 - s) * (1 - t) * maps[:, :, top, left] + (1 - s) * t * maps[:, :, top, right]
                       + s * (1 - t) * maps[:, :, bottom, left] + s * t * maps[:, :, bottom, right])
        rows.append(torch.stack(row, dim=-1))
    return torch.stack(rows, dim=-2)


def recipe_logits(logits, small_labels, weight, covariance, strength, size, ignore_index):
    """The authors' segmentation recipe: Eq. 7's exponents where labels are known on the feature grid, then upsampled.

    Unlike Eq. 7 at each pixel, a pixel near a class border also gets part of its neighbour's row, so that the logit of
    its own class grows. Logits (B, C, h, w), labels (B, h, w), weight (C, A); (B, C, *size).
    """
    v, augmented = margin_variance(weight, covariance), []
    for image, label in zip(logits, small_labels.tolist(), strict=True):
        rows = [torch.stack([image[:, i, j] + (0 if y == ignore_index else strength / 2 * v[y])
                             for j, y in enumerate(row)], dim=-1) for i, row in enumerate(label)]
        augmented.append(torch.stack(rows, dim=-2))
    return bilinear_with_corners(torch.stack(augmented), size)


def pixel_cross_entropy(logits, labels, ignore_index):
    """-log softmax at the label, mean over the pixels whose label is not ignored; (B, C, H, W) and (B, H, W)."""
    losses = []
    for image, label in zip(logits, labels.tolist(), strict=True):
        for i, row in enumerate(label):
            losses += [torch.logsumexp(image[:, i, j], dim=0) - image[y, i, j]
                       for j, y in enumerate(row) if y != ignore_index]
    return torch.stack(losses).mean()
