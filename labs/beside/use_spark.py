"""A table with Spark, inside a step: the late flights of a year by airport and month.

python use_spark.py writes use_spark.yaml, the package that Kubeflow Pipelines takes.
"""

import sys

from kfp import compiler, dsl
from kfp.dsl import Dataset, Output


@dsl.component(base_image="python:3.12", packages_to_install=["pyspark==4.1.1"])
def count_late(data_dir: str, processors: int, late: Output[Dataset]) -> dict:
    """Reads the flights of all months, and writes a Parquet folder: airport, month, share of late.

    Raises:
        RuntimeError: there is no Java, in which Spark runs.
    """
    import subprocess
    import time

    try:  # on macOS there always is a `java`, which may only say that Java is missing
        subprocess.run(["java", "-version"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeError("Spark runs in Java, which is not installed here") from error

    from pyspark.sql import SparkSession
    from pyspark.sql import functions as sql

    spark = (
        SparkSession.builder.master(f"local[{processors}]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "4")
        .getOrCreate()
    )
    started = time.monotonic()
    # By name, since after a pattern Spark looks for a file of that name, and complains at length.
    months = [f"{data_dir}/2013-{month:02}.parquet" for month in range(1, 13)]
    flights = spark.read.parquet(*months)
    arrived = flights.where(sql.col("arr_delay").isNotNull())
    shares = arrived.groupBy("origin", "month").agg(
        sql.count("*").alias("flights"),
        sql.round(sql.avg((sql.col("arr_delay") > 15).cast("int")), 4).alias("late"),
    )
    shares.coalesce(1).write.mode("overwrite").parquet(late.path)
    worst = spark.read.parquet(late.path).orderBy(sql.desc("late")).first()
    told = {
        "rows": flights.count(),
        "worst": f"{worst['origin']} in month {worst['month']}: {worst['late']}",
    }
    print(f"Spark itself took {time.monotonic() - started:.1f} s")
    spark.stop()
    return told


@dsl.component(base_image="python:3.12", packages_to_install=["pandas==2.3.3", "pyarrow==26.0.1"])
def show(late: dsl.Input[Dataset], table: Output[dsl.Markdown]):
    """What Spark has written is Parquet, which any other program reads."""
    import pandas as pd

    shares = pd.read_parquet(late.path).pivot(index="month", columns="origin", values="late")
    lines = ["| month | " + " | ".join(shares.columns) + " |", "|---" * 4 + "|"]
    for month, row in shares.iterrows():
        lines.append(f"| {month} | " + " | ".join(f"{share:.1%}" for share in row) + " |")
    with open(table.path, "w") as file:
        file.write("\n".join(lines))


@dsl.pipeline(name="late-flights-with-spark")
def late_flights_with_spark(data_dir: str, processors: int = 2):
    counted = count_late(data_dir=data_dir, processors=processors)
    show(late=counted.outputs["late"])


if __name__ == "__main__":
    target = sys.argv[1] if len(sys.argv) > 1 else "use_spark.yaml"
    compiler.Compiler().compile(late_flights_with_spark, target)
