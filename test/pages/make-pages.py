# Makes the pages beside it with the real Python client, as a server would answer each Accept header:
# `pip install prometheus_client==0.26.0 && python3 test/pages/make-pages.py`. The clock is fixed, so that a second
# run changes nothing.
import pathlib
import time

time.time = lambda: 1767225600.25

from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Summary
from prometheus_client.exposition import choose_encoder

ACCEPT = {
    "text-0.0.4.prom": "text/plain;version=0.0.4",
    "text-1.0.0-utf8.prom": "text/plain;version=1.0.0;escaping=allow-utf-8",
    "openmetrics-1.0-lost-colons.prom": "application/openmetrics-text;version=1.0.0",
    "openmetrics-1.0-utf8.prom": "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8",
}

registry = CollectorRegistry()
exemplar = {"trace_id": "4bf92f3577b34da6"}

Gauge("process_start_time_seconds", "Start time.", registry=registry).set(1767222000.5)

tokens = Counter("vllm:prompt_tokens", "Prefill tokens.", ["engine", "model_name"], registry=registry)
tokens.labels("0", "meta/llama").inc(1200, exemplar)
tokens.labels("1", 'a"quoted"\\path\nüber').inc(2**53)
running = Gauge("vllm:num_requests_running", "Requests running.", ["engine"], registry=registry)
running.labels("0").set(3)
running.labels("1").set(float("nan"))
iteration = Histogram(
    "vllm:iteration_tokens_total", "Tokens per step.", ["engine"], buckets=[1, 8], registry=registry
)
iteration.labels("0").observe(0.5)
iteration.labels("0").observe(7, exemplar)
iteration.labels("0").observe(100)
iteration.labels("1")

Counter("plain", "No labels, a \\ and a\nsecond line", registry=registry).inc(1e22)
Summary("rpc", 'Python summaries have no "quantiles"', registry=registry).observe(0.1)
Gauge("memory", "With a unit", unit="bytes", registry=registry).set(1.5e11)
Info("build", "Build", registry=registry).info({"version": "1.2.3"})
Enum("state", "State", states=["starting", "running"], registry=registry).state("running")
Gauge("demo.näme", "A UTF-8 name", ["lab.el"], registry=registry).labels("x").set(-0.0)

for name, accept in ACCEPT.items():
    encoder, _ = choose_encoder(accept)
    pathlib.Path(__file__).with_name(name).write_bytes(encoder(registry))
