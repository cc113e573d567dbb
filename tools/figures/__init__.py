"""The figures of concepts, one module each, drawn by code into `notebooks/images/`."""

from tools.figures import (
    all_reduce,
    bayesian_search,
    bucket_and_policy,
    canary,
    causal_attention,
    convolution_and_pooling,
    fork_and_join,
    layers,
    lstm_memory,
    marshalling,
    pod_and_image,
    retraining,
    shared_step,
)

FIGURES = [
    fork_and_join,
    marshalling,
    pod_and_image,
    layers,
    bucket_and_policy,
    convolution_and_pooling,
    lstm_memory,
    all_reduce,
    bayesian_search,
    canary,
    retraining,
    shared_step,
    causal_attention,
]
