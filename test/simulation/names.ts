/** What a stored point is of: a target of the world, and series of its page, one alone or the sum of what several engines owe. */
import type { DecodedPoint } from '../../functions/cli/world/otlp-decoder.ts';
import { type Account, owedNow, owes } from './account.ts';
import { instanceOf } from '../fakes/ports.ts';
import { labelText } from './nim.ts';
import { formOf } from './promise.ts';

/** Which pod it is of, on each of its points, so that the ledger can tell. In the rest of the world it says nothing. */
export const UID_LABEL = 'pod_uid';

/** Whose target it is in the world: the pod's, where its uid is known, else that of the instance. */
export function ownerOf(point: DecodedPoint): string {
  const [, uid] = point.attributes.find(([key]) => key === UID_LABEL) ?? [];
  return typeof uid === 'string' ? uid : instanceOf(point);
}

/** The same of a state item's key (D11). */
export function ownerOfKey(key: string): string {
  const [, uid] = key.split('#');
  return decodeURIComponent(uid ?? key.split('/')[2] ?? '');
}

/** A series' key in the state -> as pages show it. The uid's label is the last one. */
export function shownKey(key: string): string {
  return key.replace(/,?pod_uid="[^"]*"\}$/, '}').replace(/\{\}$/, '');
}

export interface Sources {
  /** One form alone, or those of the engines, whose pending amounts the point adds up. */
  readonly forms: readonly string[];
  /** Another point of the same body tells the same: of finished requests by reason, all that succeeded. */
  readonly isRepeated: boolean;
}

interface Sum {
  readonly of: string;
  readonly reason?: string;
  readonly isRepeated?: true;
}

/** Metrics of Dynatrace's NIM page that are summed on the way, in the words of the pages here. */
const SUMS: Readonly<Record<string, Sum>> = {
  prompt_tokens_total: { of: 'vllm:prompt_tokens_total' },
  time_to_first_token_seconds: { of: 'vllm:time_to_first_token_seconds' },
  request_finish_total: { of: 'vllm:request_success_total' },
  request_success_total: { of: 'vllm:request_success_total', reason: 'stop', isRepeated: true },
  request_failure_total: { of: 'vllm:request_success_total', reason: 'abort', isRepeated: true },
};

/** The form of a delta point, were it of one series alone, and its parts as the state numbers them. */
export function partsOf(point: DecodedPoint): {
  readonly form: string;
  readonly parts: readonly (readonly [i: number, amount: number])[];
} {
  const { histogram, value = NaN } = point;
  if (histogram !== undefined) {
    const amounts = [histogram.sum ?? NaN, ...histogram.buckets];
    return { form: formOf('histogram', keyOf(point), histogram.bounds), parts: [...amounts.entries()] };
  }
  const summary = /^size_(sum|count)$/.exec(point.name);
  if (summary !== null) return { form: 'summary size', parts: [[summary[1] === 'sum' ? 0 : 1, value]] };
  return { form: formOf('counter', keyOf(point), []), parts: [[0, value]] };
}

/** The series' key; of a summary's two points it is the same. Dynatrace takes no colon. */
export function keyOf({ name, attributes }: DecodedPoint): string {
  const labels = attributes.filter(([key]) => /^(?:model|engine|finished_reason)$/.test(key));
  const own = Object.fromEntries(labels.map(([key, text]) => [key, text as string]));
  return `${name.replace(/^size_(sum|count)$/, 'size').replace(/^vllm_/, 'vllm:')}${labelText(own)}`;
}

/** `account` has taken in this run's page, if there was one. */
export function sourcesOf(account: Account, point: DecodedPoint): Sources {
  const { form: own } = partsOf(point);
  const sum = SUMS[point.name];
  if (sum === undefined) return { forms: [own], isRepeated: false };
  const [, reason = sum.reason] = point.attributes.find(([key]) => key === 'finished_reason') ?? [];
  const [kind] = own.split(' ');
  const due = dueForms(account);
  const forms = due.filter(
    (form) =>
      form.startsWith(`${kind} ${sum.of}{`) &&
      boundsIn(form) === boundsIn(own) &&
      (reason === undefined || form.includes(`finished_reason="${reason as string}"`)),
  );
  // A NIM of the other release may still owe: of two windows the older goes first, of equal ones the page's own name.
  const startMs = Number(point.startNs / 1_000_000n);
  const isOwn = due.includes(own) && (forms.length === 0 || startOf(account, own) === startMs);
  return isOwn ? { forms: [own], isRepeated: false } : { forms, isRepeated: sum.isRepeated === true };
}

/** Where the next window of a form begins. */
export function startOf({ drains, starts }: Account, form: string): number | undefined {
  return drains.get(form) ?? starts.get(form);
}

/** The name of a form's series. */
export function keyIn(form: string): string {
  return form.split(' ')[1] ?? '';
}

function boundsIn(form: string): string {
  return form.split(' ').slice(2).join(' ');
}

/** One of each series: what drains first, else what the page shows or is owed. */
function dueForms(account: Account): readonly string[] {
  const due = new Map<string, string>();
  const candidates = [
    ...[...account.drains.keys()].filter((form) => owes(account, form)),
    ...[...account.starts.keys()].filter((form) => account.shown.has(form) || owes(account, form)),
  ];
  for (const form of candidates) if (!due.has(keyIn(form))) due.set(keyIn(form), form);
  return [...due.values()];
}

/** What of a part the point is the sum of. */
export function pendingIn(account: Account, { forms }: Sources, i: number): number {
  return forms.reduce((sum, form) => sum + owedNow(account, `${form}/${i}`), 0);
}
