"""run.py LAB JAR [--option value ...]: runs the job in a fresh cluster as LAB/bench.py makes one, with a checkpoint a second; prints one JSON object."""
import sys

LAB, JAR, *OPTIONS = sys.argv[1:]
sys.path.insert(0, LAB)
from bench import Cluster, backend, ckp, lock, record  # noqa: E402

FINAL_CHECKPOINT = {"execution.checkpointing.checkpoints-after-tasks-finish": "true", "execution.checkpointing.checkpoints-after-tasks-finish.enabled": "true"}

with lock():
    cluster = Cluster("kafka", {**backend("hashmap"), **ckp(1000), **FINAL_CHECKPOINT}).start()
    try:
        job = cluster.cli(["run", "-p", "2", "-c", "bench.kafka.KafkaExactlyOnce", JAR, *OPTIONS])
        for result in cluster.measured(job, "kafka-exactly-once", 600):
            record(result)
    finally:
        cluster.stop()
