# Trains a small network to read digits: on one worker, or on several that share the work.
# The variable TF_CONFIG names all workers and says which of them this one is. A TFJob sets it in
# each of its containers. Without it, this worker is the only one.

import os
import sys

# TensorFlow reads these when it is imported. With them it computes alike on different processors.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX2"

# Keras and TensorFlow import these three where they find them, which takes long. We need none.
sys.modules |= dict.fromkeys(["jax", "matplotlib", "sklearn"])  # as if they were not there

import argparse
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf


def read_digits(source):
    """A row for each image: its 784 pixels from 0 to 255, then the digit it shows."""
    return pd.read_csv(source, header=None)


def split_digits(digits, test_size, seed):
    """The digits to learn from, and the digits kept for the test."""
    shuffled = digits.sample(frac=1, random_state=seed)
    return shuffled[test_size:], shuffled[:test_size]


def to_arrays(digits):
    """The images, (n, 28, 28, 1) from 0 to 1, and the digits they show, (n,)."""
    pixels = digits.iloc[:, :-1].to_numpy(dtype="float32")
    return pixels.reshape(-1, 28, 28, 1) / 255, digits.iloc[:, -1].to_numpy(dtype="int64")


def build_model(seed):
    """A small convolutional network. The same seed gives the same first weights."""
    keras.utils.set_random_seed(seed)
    layers = [
        keras.Input(shape=(28, 28, 1), name="image"),
        keras.layers.Conv2D(filters=32, kernel_size=5, activation="tanh"),
        keras.layers.AveragePooling2D(pool_size=2),
        keras.layers.Conv2D(filters=64, kernel_size=5, activation="tanh"),
        keras.layers.AveragePooling2D(pool_size=2),
        keras.layers.Flatten(),
        keras.layers.Dense(units=10, activation="softmax", name="digit"),
    ]
    return keras.Sequential(layers)


def make_batches(digits, options, step, worker):
    """One worker's share of the batches of an epoch, beginning at a step of the training."""
    epoch, batches_done = divmod(step, len(digits) // options.batch_size)
    order = np.random.default_rng([options.seed, epoch]).permutation(len(digits))
    order = order[batches_done * options.batch_size :]
    mine = order[worker.input_pipeline_id :: worker.num_input_pipelines]
    share = worker.get_per_replica_batch_size(options.batch_size)
    shares = tf.data.Dataset.from_tensor_slices(to_arrays(digits.iloc[mine]))
    return shares.batch(share, drop_remainder=True)


def make_train_step(strategy, model, optimizer, batch_size):
    """A function that learns from one batch, on all workers, and gives back the batch's loss."""
    measure_losses = keras.losses.SparseCategoricalCrossentropy(reduction="none")

    def learn_from_share(images, labels):
        with tf.GradientTape() as tape:
            losses = measure_losses(labels, model(images, training=True))
            loss = tf.nn.compute_average_loss(losses, global_batch_size=batch_size)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    @tf.function
    def train_step(batch):
        losses = strategy.run(learn_from_share, args=batch)
        return strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)

    return train_step


def is_chief(strategy):
    """Whether this worker is the one that writes what all share."""
    resolver = strategy.cluster_resolver
    return resolver.task_type in (None, "", "chief", "master") or (
        resolver.task_type == "worker" and resolver.task_id == 0
    )


def restore(strategy, checkpoint, output):
    """Goes back to the last checkpoint, if there is one; returns the history up to there."""
    latest = tf.train.latest_checkpoint(f"{output}/checkpoints")
    if latest:
        checkpoint.restore(latest).assert_existing_objects_matched()
        print(f"goes on from step {int(checkpoint.step)}", flush=True)
    steps = strategy.run(tf.function(lambda: tf.cast(checkpoint.step, "float32")))
    if strategy.reduce(tf.distribute.ReduceOp.MEAN, steps, axis=None) != int(checkpoint.step):
        sys.exit(f"{output}: the workers find different checkpoints there; they must share it")
    if not latest:
        return []
    return pd.read_csv(f"{output}/history.csv")[: int(checkpoint.step)].to_dict("records")


def save(manager, history, folder):
    """Writes the history and a checkpoint. All workers do, each into a folder of its own."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    pd.DataFrame(history).to_csv(f"{folder}/history.csv", index=False)
    step = int(manager.checkpoint.step)
    manager.save(step)
    print(f"step {step}: loss {history[-1]['loss']:.4f}", flush=True)


def train(strategy, digits, options, folder):
    """Trains to the last step, from the last checkpoint on, and returns the model."""
    with strategy.scope():
        model = build_model(options.seed)
        optimizer = keras.optimizers.Adam(options.learning_rate)
        optimizer.build(model.trainable_variables)
    step = tf.Variable(0, dtype="int64")
    checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer, step=step)
    manager = tf.train.CheckpointManager(checkpoint, f"{folder}/checkpoints", max_to_keep=2)
    history = restore(strategy, checkpoint, options.output)
    train_step = make_train_step(strategy, model, optimizer, options.batch_size)
    last_step = options.epochs * (len(digits) // options.batch_size)
    while step < last_step:
        for batch in strategy.distribute_datasets_from_function(
            lambda worker: make_batches(digits, options, int(step), worker)
        ):
            start, processor_start = time.perf_counter(), time.process_time()
            measured = {"loss": float(train_step(batch)), "seconds": time.perf_counter() - start}
            measured["processor_seconds"] = time.process_time() - processor_start
            history.append(measured)
            step.assign_add(1)
            if step % options.save_every == 0 or step == last_step:
                save(manager, history, folder)
    return model


def export(model, folder):
    """Writes the model as the next version of what TensorFlow Serving serves."""
    versions = [int(path.name) for path in Path(folder).glob("*") if path.name.isdigit()]
    path = f"{folder}/{max(versions, default=0) + 1}"
    model.export(path, verbose=False)
    print(f"exported {path}", flush=True)


def read_options():
    """What the command line says."""
    parser = argparse.ArgumentParser(description="Trains a network to read digits.")
    parser.add_argument("--data", required=True, help="a CSV file or its URL: 784 pixels, digit")
    parser.add_argument("--output", required=True, help="a folder that all workers share")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=100, help="of all workers together")
    parser.add_argument("--learning-rate", type=float, default=0.003)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--test-size", type=int, default=0, help="digits kept for the test")
    parser.add_argument("--save-every", type=int, default=20, help="steps between checkpoints")
    parser.add_argument("--threads", type=int, default=0, help="of this worker; 0: all processors")
    return parser.parse_args()


def run(options):
    """One worker, from the start to the end; the chief alone exports and tests the model."""
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    digits = read_digits(options.data)
    train_digits, test_digits = split_digits(digits, options.test_size, options.seed)
    with tempfile.TemporaryDirectory() as own_folder:
        folder = options.output if is_chief(strategy) else own_folder
        model = train(strategy, train_digits, options, folder)
    if is_chief(strategy):
        export(model, f"{options.output}/export/mnist")
    if is_chief(strategy) and options.test_size:
        images, labels = to_arrays(test_digits)
        accuracy = np.mean(np.argmax(model(images), axis=1) == labels)
        print(f"test accuracy {accuracy:.4f}", flush=True)


def main():
    """Runs this worker. When it has lost another one, it asks to be started again."""
    try:
        run(read_options())
    except (tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.UnavailableError) as error:
        print(f"lost another worker: {error.message.splitlines()[0]}", flush=True)
        sys.exit(138)  # the policy ExitCode of a TFJob starts again what exits with 128 or more


if __name__ == "__main__":
    main()
