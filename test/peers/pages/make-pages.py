# Makes the four pages beside it with the real Python client: one NIM 1.x as four scrapes saw it.
# `pip install prometheus_client==0.26.0 && python3 test/peers/pages/make-pages.py`; chance and clock are fixed.
import pathlib
import random

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import generate_latest

disable_created_metrics()
MODEL = {"model_name": "meta/llama-3.1-8b-instruct"}
rng = random.Random(4)


class Process:
    def __init__(self, start):
        self.registry = r = CollectorRegistry()
        Gauge("process_start_time_seconds", "Start time of the process.", registry=r).set(start)
        label = ["model_name"]
        self.running = Gauge("num_requests_running", "Requests running.", label, registry=r)
        self.prompt = Counter("prompt_tokens", "Number of prefill tokens processed.", label, registry=r)
        self.generation = Counter("generation_tokens", "Number of generation tokens.", label, registry=r)
        self.ttft = Histogram("time_to_first_token_seconds", "Time to first token.", label, registry=r,
                              buckets=[0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0])
        self.tpot = Histogram("time_per_output_token_seconds", "Time per output token.", label, registry=r,
                              buckets=[0.01, 0.025, 0.05, 0.1, 0.25])
        self.finish = Counter("request_finish", "Finished requests by reason.", ["finished_reason", *label], registry=r)
        self.success = Counter("request_success", "Successful requests.", label, registry=r)
        self.failure = Counter("request_failure", "Failed requests.", label, registry=r)

    def serve(self, requests, reasons):
        for _ in range(requests):
            reason = rng.choice(reasons)
            self.running.labels(**MODEL).set(rng.randrange(16))
            self.finish.labels(finished_reason=reason, **MODEL).inc()
            if reason == "cancelled":
                self.failure.labels(**MODEL).inc()
                continue
            tokens = rng.randrange(10, 400)
            self.prompt.labels(**MODEL).inc(rng.randrange(50, 4000))
            self.generation.labels(**MODEL).inc(tokens)
            self.success.labels(**MODEL).inc()
            self.ttft.labels(**MODEL).observe(rng.expovariate(6))
            for _ in range(tokens):
                self.tpot.labels(**MODEL).observe(rng.expovariate(50))

    def write(self, name):
        pathlib.Path(__file__).with_name(name).write_bytes(generate_latest(self.registry))


nim = Process(1767225600)
nim.write("1-before-first-request.prom")
nim.serve(40, ["stop", "length"])
nim.write("2-first-requests.prom")
nim.serve(25, ["stop", "length", "cancelled"])
nim.write("3-first-failures.prom")
nim = Process(1767225790)
nim.serve(4, ["stop"])
nim.write("4-after-restart.prom")
