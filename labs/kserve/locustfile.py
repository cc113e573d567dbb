"""Users of the Titanic model, for Locust.

locust -f locustfile.py Clerk --headless --host http://127.0.0.1:8080 --users 4 --run-time 5s
locust -f locustfile.py Crowd --headless --host http://127.0.0.1:8080 --rate 20 --run-time 5s

With --times FILE, a table of all answers is written: when each was asked for, and how many seconds
it took.
"""

import random
from pathlib import Path

import gevent
from locust import FastHttpUser, constant, events, task

PASSENGER = {
    "passenger_class": [1],
    "sex": ["female"],
    "age": [38.0],
    "deck": ["C"],
    "title": ["Mrs"],
    "family_size": [2],
    "fare_per_person": [35.6],
}


@events.init_command_line_parser.add_listener
def add_options(parser):
    parser.add_argument("--rate", type=float, default=20, help="requests of the crowd a second")
    parser.add_argument("--times", default="", help="a file for the time of each answer")


@events.init.add_listener
def prepare(environment, **_):
    # The loop's clock has stood still during the imports, and the run time would begin with them.
    gevent.get_hub().loop.update_now()
    if environment.parsed_options.times:
        note_times(environment.events, Path(environment.parsed_options.times))


def note_times(of, file):
    """Writes, when the run ends, a line for each answer."""
    lines = ["asked,seconds,failed"]

    @of.request.add_listener
    def note(start_time, response_time, exception, **_):
        lines.append(f"{start_time},{response_time / 1000},{int(exception is not None)}")

    @of.quitting.add_listener
    def write(**_):
        file.write_text("\n".join(lines) + "\n")


def ask(client):
    client.post("/v1/models/titanic:predict", json={"instances": [PASSENGER]})


class Clerk(FastHttpUser):
    """A closed load: asks again as soon as the last answer is there."""

    wait_time = constant(0)

    @task
    def ask_and_wait(self):
        ask(self.client)


class Crowd(FastHttpUser):
    """An open load, from one user: asks at random times, whether or not answers have come."""

    concurrency = 1000

    def on_start(self):
        self.asked = []
        self.chance = random.Random(42)

    def wait_time(self):
        return self.chance.expovariate(self.environment.parsed_options.rate)

    @task
    def ask_and_go_on(self):
        self.asked.append(gevent.spawn(ask, self.client))

    def on_stop(self):
        gevent.joinall(self.asked)
