/**
 * Preset dictionary for packing baselines (deflate, RFC 1950 section 2.2): the texts that baselines of NIM, vLLM,
 * SGLang, Triton and DCGM pages hold, so that a known name costs three bytes. Part of the packing format: a changed
 * text would make every stored baseline unreadable, so it is frozen with its packing version. Deflate reaches nearer
 * text more cheaply; the commonest stand last.
 */
const METRICS = `DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{DCGM_FI_DRIVER_VERSION=",Hostname=",UUID="GPU-",device="nvidia0",gpu="0",modelName="NVIDIA
nv_inference_request_success{model=",version="1"}nv_inference_request_failure{model="nv_inference_count{model="nv_inference_exec_count{model="nv_inference_request_duration_us{model="nv_inference_queue_duration_us{model="nv_inference_compute_input_duration_us{model="nv_inference_compute_infer_duration_us{model="nv_inference_compute_output_duration_us{model="nv_energy_consumption{gpu_uuid="GPU-nv_cache_num_hits_per_model{model="
gpu_total_energy_consumption_joules{device_id="0"}
sglang:prompt_tokens_total{model_name="sglang:generation_tokens_total{model_name="sglang:time_to_first_token_seconds{model_name="sglang:e2e_request_latency_seconds{model_name="sglang:inter_token_latency_seconds{model_name="sglang:func_latency_seconds{name="
http_requests_total{handler="/v1/chat/completions",method="POST",status="2xx"}http_request_duration_seconds{handler="/v1/completions",method="POST"}
vllm:prefix_cache_queries_total{engine="vllm:prefix_cache_hits_total{engine="vllm:external_prefix_cache_queries_total{engine="vllm:external_prefix_cache_hits_total{engine="vllm:mm_cache_queries_total{engine="vllm:mm_cache_hits_total{engine="vllm:num_preemptions_total{engine="vllm:prompt_tokens_total{engine="vllm:prompt_tokens_cached_total{engine="vllm:prompt_tokens_by_source_total{engine=",source="local_cache_hit",source="local_compute",source="external_kv_transfervllm:generation_tokens_total{engine="vllm:request_success_total{engine=",finished_reason="abort",model_name=",finished_reason="error",model_name=",finished_reason="repetition",model_name="vllm:iteration_tokens_total{engine="vllm:inter_token_latency_seconds{engine="vllm:request_time_per_output_token_seconds{engine="vllm:request_queue_time_seconds{engine="vllm:request_inference_time_seconds{engine="vllm:request_prefill_time_seconds{engine="vllm:request_prefill_kv_computed_tokens{engine="vllm:request_decode_time_seconds{engine="vllm:request_max_num_generation_tokens{engine="vllm:request_params_max_tokens{engine="vllm:request_params_n{engine="vllm:request_generation_tokens{engine="vllm:request_prompt_tokens{engine="vllm:time_per_output_token_seconds{engine="vllm:time_to_first_token_seconds{engine="vllm:e2e_request_latency_seconds{engine="0",model_name="1",model_name="
python_gc_collections_total{generation="0"}python_gc_collections_total{generation="1"}python_gc_collections_total{generation="2"}python_gc_objects_collected_total{generation="0"}python_gc_objects_collected_total{generation="1"}python_gc_objects_collected_total{generation="2"}python_gc_objects_uncollectable_total{generation="0"}python_gc_objects_uncollectable_total{generation="1"}python_gc_objects_uncollectable_total{generation="2"}process_cpu_seconds_total
vision_encoder_latency_seconds{model_name="e2e_request_latency_seconds{model_name="generation_tokens_total{model_name="prompt_tokens_total{model_name="request_failure_total{model_name="request_finish_total{finished_reason="abort",model_name="request_finish_total{finished_reason="length",model_name="request_finish_total{finished_reason="stop",model_name="request_generation_tokens{model_name="request_prompt_tokens{model_name="request_success_total{model_name="time_per_output_token_seconds{model_name="time_to_first_token_seconds{model_name="meta/llama-3.1-8b-instruct"}meta/llama-3.3-70b-instruct"}nvidia/llama-3.3-nemotron-super-49b-v1"}mistralai/deepseek-ai/qwen/openai/gpt-oss-120b"}`;

const BOUNDS = `0.005 0.01 0.025 0.05 0.075 0.1 0.25 0.5 0.75 1 2.5 5 7.5 10
1 2 5 10 20
1 8 16 32 64 128 256 512 1024 2048 4096 8192 16384
0.3 0.5 0.8 1 1.5 2 2.5 5 10 15 20 30 40 50 60 120 240 480 960 1920 7680
0.01 0.025 0.05 0.075 0.1 0.15 0.2 0.3 0.4 0.5 0.75 1 2.5 5 7.5 10 20 40 80
0.001 0.005 0.01 0.02 0.04 0.06 0.08 0.1 0.25 0.5 0.75 1 2.5 5 7.5 10 20 40 80 160 640 2560
1 2 5 10 20 50 100 200 500 1000 2000 5000 10000 20000 50000 100000 200000 500000
1 2.5 5 10 15 20 30 40 50 60`;

export const BASELINE_DICTIONARY: Uint8Array = new TextEncoder().encode(`${METRICS}\n${BOUNDS}`);
