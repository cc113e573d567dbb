"""Users of the Titanic model, for Locust: each asks about a passenger, again and again.

locust -f locustfile.py --headless --host http://127.0.0.1:8080 --users 4 --run-time 5s
"""

from locust import FastHttpUser, constant, task

PASSENGER = {
    "passenger_class": [1],
    "sex": ["female"],
    "age": [38.0],
    "deck": ["C"],
    "title": ["Mrs"],
    "family_size": [2],
    "fare_per_person": [35.6],
}


class Clerk(FastHttpUser):
    """Asks as soon as the last answer is there."""

    wait_time = constant(0)

    @task
    def ask(self):
        self.client.post("/v1/models/titanic:predict", json={"instances": [PASSENGER]})
