/** Which server a page is of. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { MAX_MODELS } from '../../../functions/core/doctor/forecast-model.ts';
import {
  type Answers,
  MAX_ANSWER_LENGTH,
  MAX_TOLD_LENGTH,
  recogniseGeneration,
} from '../../../functions/core/doctor/generation.ts';
import { RECORDED, forecastOf } from './pages.ts';

const LLAMA = 'meta/llama-3.1-8b-instruct';
const METADATA = JSON.stringify({
  assetInfo: [],
  licenseInfo: { name: 'LICENSE', path: '/opt/LICENSE', sha: '0' },
  modelInfo: [{ shortName: 'llama-3.1-8b-instruct:hf', modelUrl: 'ngc://nim/meta/llama' }],
  repository_override: '',
  version: '2.1.5',
  selectedModelProfileId: '0',
});

function recognise(families: readonly string[], answers: Answers = {}, models: readonly string[] = []) {
  return recogniseGeneration({ families, models }, answers);
}

describe('by the page alone', () => {
  for (const [file, code] of [
    ['1-after.prom', 'nim_llm_1'],
    ['1-before-first-request.prom', 'nim_llm_1'],
    ['2-vllm-after.prom', 'vllm'],
    ['2-sglang-after.prom', 'sglang'],
  ] as const)
    test(`${file}: ${code}`, () => {
      const [, page = ''] = RECORDED.find(([name]) => name === file) ?? [];
      assert.equal(recogniseGeneration(forecastOf(page).page).code, code);
    });

  for (const [families, code] of [
    [['vllm:num_requests_running', 'num_request_max'], 'nim_llm_2_vllm'],
    [['sglang:num_running_reqs'], 'sglang'],
    [['prompt_tokens_total', 'generation_tokens_total'], 'nim_llm_1'],
    [['prompt_tokens_total'], 'other'],
    [['nv_inference_count'], 'triton'],
    [['gpu_utilization'], 'riva_or_maxine'],
    [['DCGM_FI_DEV_GPU_TEMP'], 'dcgm'],
    [['go_goroutines'], 'other'],
    [[], 'other'],
  ] as const)
    test(`${families.join()}: ${code}`, () => {
      assert.equal(recognise(families).code, code);
    });

  test('an embedding model makes a retriever of Triton', () => {
    const models = ['nvidia_llama_3_2_nv_embedqa_1b_v2'];
    assert.equal(recognise(['nv_inference_count'], {}, models).code, 'retriever');
  });
});

describe('by what the server says', () => {
  test('metadata of a NIM tells NIM 2.x from a bare engine, its release and model', () => {
    assert.deepEqual(recognise(['vllm:num_requests_running'], { metadata: METADATA }, [LLAMA]), {
      code: 'nim_llm_2_vllm',
      name: 'NIM for LLMs 2.x on vLLM',
      version: '2.1.5',
      models: ['llama-3.1-8b-instruct:hf'],
      because: 'the page has vllm:* and /v1/metadata is that of a NIM',
    });
    assert.equal(recognise(['sglang:num_running_reqs'], { metadata: METADATA }).code, 'nim_llm_2_sglang');
  });

  test('the list of models before the labels; the release of NIM and the version of vLLM', () => {
    const models = JSON.stringify({ object: 'list', data: [{ id: 'a' }, { id: 'b' }, { id: 'a' }] });
    assert.deepEqual(recognise([], { models }, ['c']).models, ['a', 'b']);
    assert.deepEqual(recognise([], {}, ['c']).models, ['c']);
    assert.equal(recognise([], { version: '{"release":"1.0.0","api":"1.0.0"}' }).version, '1.0.0');
    assert.equal(recognise([], { version: '{"version":"0.31.0"}' }).version, '0.31.0');
  });

  for (const metadata of [
    '',
    'null',
    '[]',
    '{}',
    '{"version":{}}',
    '<html>',
    '{"modelInfo":{}}',
    `${'['.repeat(100_000)}`,
  ])
    test(`as good as no answer: ${metadata.slice(0, 20)}`, () => {
      const { code, version, models } = recognise(['vllm:x'], { metadata });
      assert.deepEqual([code, version, models], ['vllm', undefined, []]);
    });

  test('whatever it answers, what is shown is short and printable', () => {
    const answer = fc.option(fc.oneof(fc.json(), fc.string()), { nil: undefined });
    const answers = fc.record({ metadata: answer, models: answer, version: answer });
    fc.assert(
      fc.property(answers, ({ metadata = '', models = '', version = '' }) => {
        recognise(['vllm:x'], { metadata, models, version });
      }),
    );
    const told = (id: string) => recognise([], { models: JSON.stringify({ data: [{ id }] }) }).models;
    assert.deepEqual(told('m'.repeat(MAX_TOLD_LENGTH)), ['m'.repeat(MAX_TOLD_LENGTH)]);
    assert.deepEqual(told('m'.repeat(MAX_TOLD_LENGTH + 1)), []);
    assert.deepEqual(told('\u001b[31mred'), []);
    assert.deepEqual(recognise([], {}, ['\u001b[31mred', 'ok']).models, ['ok']);
  });

  test('no more models than are wanted, no longer answer than is read', () => {
    const data = Array.from({ length: MAX_MODELS + 1 }, (_, i) => ({ id: `m${i}` }));
    assert.equal(recognise([], { models: JSON.stringify({ data }) }).models.length, MAX_MODELS);
    const padded = (length: number) => `{"version":"1"${' '.repeat(length - 15)}}`;
    assert.equal(recognise([], { metadata: padded(MAX_ANSWER_LENGTH) }).version, '1');
    assert.equal(recognise([], { metadata: padded(MAX_ANSWER_LENGTH + 1) }).version, undefined);
  });
});
