/**
 * Which server a page is of. The families decide, since they decide what is sent; what the server says of itself
 * (`/v1/metadata`, `/v1/version`, `/v1/models`) tells a NIM from a bare engine, its release, and its models.
 */
import { REFERENCE_METRICS } from '../nim.ts';
import { MAX_MODELS, type PageFacts } from './forecast-model.ts';

export type GenerationCode =
  | 'nim_llm_1'
  | 'nim_llm_2_vllm'
  | 'nim_llm_2_sglang'
  /** Or a NIM that did not answer. */
  | 'vllm'
  | 'sglang'
  | 'triton'
  /** Embedding and reranking. */
  | 'retriever'
  | 'riva_or_maxine'
  | 'dcgm'
  | 'other';

/** Bodies as text, as they came; absent: not asked, or no answer of 200. */
export interface Answers {
  readonly metadata?: string;
  readonly models?: string;
  readonly version?: string;
}

export interface Generation {
  readonly code: GenerationCode;
  /** For people. */
  readonly name: string;
  /** The release, as the server tells it. */
  readonly version?: string;
  /** As the server tells them, else the labels of the page; at most MAX_MODELS. */
  readonly models: readonly string[];
  /** What it was told by. */
  readonly because: string;
}

/** Characters of an answer that are read; real ones have some 10,000, most of them the licence. */
export const MAX_ANSWER_LENGTH = 1_000_000;
/** Characters of a release or a model's name; the longest model of the NGC catalogue has some 80. */
export const MAX_TOLD_LENGTH = 200;
/** Names of Dynatrace's NIM page without which a page is not called a NIM 1.x: one alone may be anybody's. */
const MIN_NIM_NAMES = 2;

/** Names the server behind a page; `page` as a forecast has it. */
export function recogniseGeneration(
  page: Pick<PageFacts, 'families' | 'models'>,
  answers: Answers = {},
): Generation {
  const metadata = readObject(answers.metadata);
  const version = toldText(metadata['version']) ?? versionIn(readObject(answers.version));
  const told = [
    ...modelsIn(readObject(answers.models), 'data', 'id'),
    ...modelsIn(metadata, 'modelInfo', 'shortName'),
  ];
  const labels = page.models.flatMap((model) => toldText(model) ?? []);
  const models = [...new Set(told.length > 0 ? told : labels)].slice(0, MAX_MODELS);
  // Only a NIM has this endpoint, and all of its answers have this list.
  const isNim = Array.isArray(metadata['modelInfo']);
  const { code, because } = judge(page.families, models, isNim);
  return { code, name: NAMES[code], ...(version === undefined ? {} : { version }), models, because };
}

const NAMES: Readonly<Record<GenerationCode, string>> = {
  nim_llm_1: 'NIM for LLMs 1.x',
  nim_llm_2_vllm: 'NIM for LLMs 2.x on vLLM',
  nim_llm_2_sglang: 'NIM for LLMs 2.x on SGLang',
  vllm: 'vLLM, by itself or in a NIM 2.x',
  sglang: 'SGLang, by itself or in a NIM 2.x',
  triton: 'Triton, by itself or in a NIM',
  retriever: 'embedding or reranking NIM',
  riva_or_maxine: 'Riva, Maxine or another NIM that shows its GPU only',
  dcgm: 'DCGM exporter',
  other: 'no NIM that is known here',
};

interface Verdict {
  readonly code: GenerationCode;
  readonly because: string;
}

function judge(families: readonly string[], models: readonly string[], isNim: boolean): Verdict {
  const has = (prefix: string): boolean => families.some((family) => family.startsWith(prefix));
  const said = isNim ? ' and /v1/metadata is that of a NIM' : '';
  for (const [prefix, bare, inNim] of [
    ['vllm:', 'vllm', 'nim_llm_2_vllm'],
    ['sglang:', 'sglang', 'nim_llm_2_sglang'],
  ] as const) {
    if (!has(prefix)) continue;
    // Some images of NIM 2.x show this one beside their engine's; no engine has it (docs/metrics.md).
    const isMixed = families.includes('num_request_max');
    const because = `the page has ${prefix}*${isMixed ? ' and num_request_max' : ''}${said}`;
    return { code: isNim || isMixed ? inNim : bare, because };
  }
  const own = families.filter((family) => Object.hasOwn(REFERENCE_METRICS, family));
  if (own.length >= MIN_NIM_NAMES)
    return { code: 'nim_llm_1', because: `the page has ${own.slice(0, 2).join(', ')}${said}` };
  const isRetriever = models.some((model) => /embed|rerank|nv-?clip/i.test(model));
  if (has('nv_')) return { code: isRetriever ? 'retriever' : 'triton', because: `the page has nv_*${said}` };
  if (has('DCGM_')) return { code: 'dcgm', because: 'the page has DCGM_*' };
  if (has('gpu_power_usage_watts') || has('gpu_utilization'))
    return { code: isRetriever ? 'retriever' : 'riva_or_maxine', because: `the page has gpu_*${said}` };
  return { code: 'other', because: `the page has none of the families of a NIM${said}` };
}

type Told = Readonly<Record<string, unknown>>;

/** Empty where it is no JSON object; a server may answer anything. */
function readObject(text: string | undefined): Told {
  if (text === undefined || text.length > MAX_ANSWER_LENGTH) return {};
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

function isObject(value: unknown): value is Told {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** NIM says `release`, vLLM `version`. */
function versionIn(answer: Told): string | undefined {
  return toldText(answer['release']) ?? toldText(answer['version']);
}

function modelsIn(answer: Told, list: string, field: string): readonly string[] {
  const entries: unknown = answer[list];
  if (!Array.isArray(entries)) return [];
  return entries
    .slice(0, MAX_MODELS)
    .flatMap((entry) => (isObject(entry) ? (toldText(entry[field]) ?? []) : []));
}

/** A text that a terminal may show; undefined where it is none. */
function toldText(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= MAX_TOLD_LENGTH && /^\P{C}+$/u.test(value)
    ? value
    : undefined;
}
