# Makes the pages beside it with the real Python client: the same traffic as NIM 1.x and NIM 2.x (vLLM, two engines;
# SGLang, two data-parallel ranks of two tensor-parallel ranks each) show it, before the first request and after the
# last. `pip install prometheus_client==0.26.0 && python3 test/pages/nim/make-pages.py`; chance and clock are fixed.
import pathlib
import random
import time

time.time = lambda: 1767225600.0

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client import disable_created_metrics, enable_created_metrics
from prometheus_client.exposition import generate_latest

MODEL = "meta/llama-3.1-8b-instruct"
REASONS = ["stop", "length", "abort", "error"]
TTFT = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0]
TPOT = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5]
E2E = [1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0]
E2E_2 = [0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0]
TOKENS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]


class Page:
    """Metrics by the names of NIM 1.x; a generation says what they are called and which labels they have."""

    def __init__(self, prefix, names, ttft, tpot, e2e):
        self.registry = CollectorRegistry()
        self.prefix, self.names, self.bounds = prefix, names, {"ttft": ttft, "tpot": tpot, "e2e": e2e}
        self.metrics = {}
        Gauge("process_start_time_seconds", "Start.", registry=self.registry).set(1767222000)

    def get(self, kind, key, labels, buckets=None):
        name = self.prefix + self.names.get(key, key)
        if name not in self.metrics:
            extra = {} if buckets is None else {"buckets": buckets}
            self.metrics[name] = kind(name, f"{key} of the engine.", list(labels), registry=self.registry, **extra)
        return self.metrics[name].labels(**labels) if labels else self.metrics[name]

    def write(self, name):
        pathlib.Path(__file__).with_name(name).write_bytes(generate_latest(self.registry))


def traffic():
    """Requests: engine, reason, tokens and times; all sums are exact."""
    rng = random.Random(7)
    for _ in range(60):
        reason = rng.choice(REASONS[:2] * 5 + REASONS[2:])
        gaps = [rng.randrange(1, 200) / 1024 for _ in range(rng.randrange(3, 30))]
        yield rng.randrange(2), reason, rng.randrange(50, 4000), rng.randrange(1, 4000) / 1024, gaps


def observe(page, labels, prompt, first, gaps):
    page.get(Counter, "prompt_tokens", labels).inc(prompt)
    page.get(Counter, "generation_tokens", labels).inc(len(gaps) + 1)
    page.get(Histogram, "time_to_first_token_seconds", labels, page.bounds["ttft"]).observe(first)
    for gap in gaps:
        page.get(Histogram, "time_per_output_token_seconds", labels, page.bounds["tpot"]).observe(gap)
    page.get(Histogram, "e2e_request_latency_seconds", labels, page.bounds["e2e"]).observe(first + sum(gaps))
    page.get(Histogram, "request_prompt_tokens", labels, TOKENS).observe(prompt)
    page.get(Histogram, "request_generation_tokens", labels, TOKENS).observe(len(gaps) + 1)


def gauges(page, labels, running, waiting, usage):
    page.get(Gauge, "num_requests_running", labels).set(running)
    page.get(Gauge, "num_requests_waiting", labels).set(waiting)
    page.get(Gauge, "gpu_cache_usage_perc", labels).set(usage)


def make_1():
    disable_created_metrics()
    page = Page("", {}, TTFT, TPOT, E2E)
    model = {"model_name": MODEL}
    page.get(Gauge, "num_request_max", model).set(256)
    gauges(page, model, 0, 0, 0)
    page.write("1-before.prom")
    for _, reason, prompt, first, gaps in traffic():
        page.get(Counter, "request_finish", {**model, "finished_reason": reason}).inc()
        page.get(Counter, "request_success" if reason in REASONS[:2] else "request_failure", model).inc()
        observe(page, model, prompt, first, gaps)
    gauges(page, model, 12, 1, 0.375)
    page.write("1-after.prom")


def make_vllm():
    enable_created_metrics()
    names = {"time_per_output_token_seconds": "inter_token_latency_seconds",
             "gpu_cache_usage_perc": "kv_cache_usage_perc"}
    page = Page("vllm:", names, TTFT + [20.0, 40.0], TPOT + [5.0, 7.5], E2E_2)
    engines = [{"model_name": MODEL, "engine": str(i)} for i in range(2)]
    for labels in engines:
        for reason in REASONS:
            page.get(Counter, "request_success", {**labels, "finished_reason": reason})
        observe_nothing(page, labels)
        gauges(page, labels, 0, 0, 0)
    page.write("2-vllm-before.prom")
    for engine, reason, prompt, first, gaps in traffic():
        page.get(Counter, "request_success", {**engines[engine], "finished_reason": reason}).inc()
        observe(page, engines[engine], prompt, first, gaps)
    gauges(page, engines[0], 8, 1, 0.25)
    gauges(page, engines[1], 4, 0, 0.5)
    page.get(Counter, "num_preemptions", engines[0]).inc(3)
    page.write("2-vllm-after.prom")


def observe_nothing(page, labels):
    page.get(Counter, "prompt_tokens", labels)
    page.get(Counter, "generation_tokens", labels)
    for key, buckets in [("time_to_first_token_seconds", page.bounds["ttft"]),
                         ("time_per_output_token_seconds", page.bounds["tpot"]),
                         ("e2e_request_latency_seconds", page.bounds["e2e"]),
                         ("request_prompt_tokens", TOKENS), ("request_generation_tokens", TOKENS)]:
        page.get(Histogram, key, labels, buckets)


def make_sglang():
    disable_created_metrics()
    names = {"time_per_output_token_seconds": "inter_token_latency_seconds",
             "gpu_cache_usage_perc": "token_usage", "num_requests_running": "num_running_reqs",
             "num_requests_waiting": "num_queue_reqs", "request_prompt_tokens": "prompt_tokens_histogram",
             "request_generation_tokens": "generation_tokens_histogram"}
    page = Page("sglang:", names, TTFT + [15.0, 20.0], TPOT, E2E_2)
    model = {"model_name": MODEL}
    ranks = [{**model, "engine_type": "unified", "dp_rank": str(dp), "tp_rank": str(2 * dp + tp), "pp_rank": "0"}
             for dp in range(2) for tp in range(2)]
    observe_nothing(page, model)
    for labels in ranks:
        gauges(page, labels, 0, 0, 0)
    page.write("2-sglang-before.prom")
    for _, reason, prompt, first, gaps in traffic():
        page.get(Counter, "num_requests", model).inc()
        if reason not in REASONS[:2]:
            page.get(Counter, "num_aborted_requests", model).inc()
        observe(page, model, prompt, first, gaps)
    for labels in ranks:
        gauges(page, labels, *((8, 1, 0.25) if labels["dp_rank"] == "0" else (4, 0, 0.5)))
    page.write("2-sglang-after.prom")


make_1()
make_vllm()
make_sglang()
