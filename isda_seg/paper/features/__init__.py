"""Deep features of a trained model: covariances, margin table, class separation and t-SNE."""
