"""Data sets as arrays; none of them is downloaded."""

from spikefold.train.data.dataset import Dataset
from spikefold.train.data.idx import FASHION
from spikefold.train.data.lazy import LazyArray
from spikefold.train.data.load import load_data

__all__ = ["FASHION", "Dataset", "LazyArray", "load_data"]
