"""Task definition of supervised and semi-supervised image classification for run.py."""
from isda_seg.classification.data.data_check import check_data
from isda_seg.classification.evaluation import evaluate, summary
from isda_seg.runtime.task import Task

TASK = Task('classification', check_data, check_data, evaluate, summary, frozenset({'taus'}))
