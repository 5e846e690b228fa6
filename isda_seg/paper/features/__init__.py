"""The deep features of a trained model: their covariance, separation and embedding, the table made of them."""
