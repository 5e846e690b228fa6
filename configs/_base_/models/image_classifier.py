"""An image classifier; the config says which backbone and how many classes."""
model = dict(type='ImageClassifier')
