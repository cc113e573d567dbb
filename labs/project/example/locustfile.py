"""Passengers who ask about their flights, for Locust.

locust -f locustfile.py --headless --host http://127.0.0.1:8080 --users 4 --spawn-rate 4 \
  --run-time 20s --csv evidence/load
"""

import json
from pathlib import Path

from locust import FastHttpUser, constant_throughput, task

REQUEST = json.loads(Path(__file__).with_name("evidence").joinpath("request.json").read_text())
ADDRESS = "/v1/models/late-flights:predict"


class Passenger(FastHttpUser):
    """Asks ten times a second, and waits for each answer."""

    wait_time = constant_throughput(10)

    @task
    def ask(self):
        with self.client.post(ADDRESS, json=REQUEST, catch_response=True) as answer:
            if len((answer.json() or {}).get("predictions", [])) != len(REQUEST["instances"]):
                answer.failure("not a prediction for each flight")
