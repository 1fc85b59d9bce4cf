/**
 * Dynatrace's annotations of pods and services (docs.dynatrace.com, "Monitor Prometheus metrics"), read as they stand.
 * Whether the references in them may be followed is decided elsewhere.
 */
import { isNamePattern } from '../filter.ts';
import type { TargetFilter } from '../scrape-config.ts';
import type { StringMap } from './objects.ts';

export const ANNOTATION = 'metrics.dynatrace.com/';
/** Names of one filter: as many as a job may list. */
export const MAX_FILTER_NAMES = 32;

/** `<secret|configmap>:<namespace>:<name>:<field>`. */
export interface ObjectReference {
  readonly kind: 'secret' | 'configmap';
  readonly namespace: string;
  readonly name: string;
  readonly field: string;
}

export interface ScrapeAnnotations {
  /** Absent: the first port. A number, or the name of a port of the pod. */
  readonly port?: string;
  /** Absent: found out, as everywhere. */
  readonly path?: string;
  readonly secure: boolean;
  readonly insecureSkipVerify: boolean;
  readonly filter?: TargetFilter;
  readonly references: Readonly<Partial<Record<ReferenceKey, ObjectReference>>>;
  /** What cannot be read, each a clause and its remedy. Nothing is scraped with them. */
  readonly faults: readonly string[];
}

const REFERENCE_KEYS = [
  'tls.ca.crt',
  'tls.crt',
  'tls.key',
  'http.auth',
  'http.auth.basic.username',
  'http.auth.basic.password',
] as const;
export type ReferenceKey = (typeof REFERENCE_KEYS)[number];

/** Undefined where they do not ask to be scraped. */
export function readScrapeAnnotations(annotations: StringMap): ScrapeAnnotations | undefined {
  if (annotations[`${ANNOTATION}scrape`] !== 'true') return undefined;
  const faults: string[] = [];
  const textOf = (key: string): string | undefined => annotations[ANNOTATION + key]?.trim();
  const [port, path] = [textOf('port'), textOf('path')];
  const flag = (key: string): boolean => {
    const text = textOf(key) ?? 'false';
    if (text !== 'true' && text !== 'false')
      faults.push(wrong(key, 'neither true nor false', 'write "true" or "false"'));
    return text === 'true';
  };
  if (port !== undefined && readPortNumber(port) === undefined && !PORT_NAME.test(port))
    faults.push(wrong('port', 'no port', 'write its number, such as "8000"'));
  const references: Partial<Record<ReferenceKey, ObjectReference>> = {};
  for (const key of REFERENCE_KEYS) {
    const text = textOf(key);
    if (text === undefined) continue;
    const reference = readReference(text);
    if (typeof reference === 'string') faults.push(wrong(key, reference, REFERENCE_REMEDY));
    else references[key] = reference;
  }
  const filter = readFilter(textOf('filter'), faults);
  return {
    ...(port === undefined ? {} : { port }),
    ...(path === undefined || path === '' ? {} : { path: path.startsWith('/') ? path : `/${path}` }),
    secure: flag('secure'),
    insecureSkipVerify: flag('insecure_skip_verify'),
    ...(filter === undefined ? {} : { filter }),
    references,
    faults,
  };
}

/** As Kubernetes names ports (RFC 6335 section 5.1): with a letter in it. */
const PORT_NAME = /^(?=.*[a-z])[a-z0-9-]{1,15}$/;

/** Undefined for what is no number of a port. */
export function readPortNumber(port: number | string): number | undefined {
  const number = typeof port === 'number' || /^\d{1,5}$/.test(port) ? Number(port) : Number.NaN;
  return Number.isInteger(number) && number >= 1 && number <= 65_535 ? number : undefined;
}

const REFERENCE_REMEDY = 'write secret:<namespace>:<name>:<field>';

/** The value is not quoted: somebody may have written a secret. */
function wrong(key: string, cause: string, remedy: string): string {
  return `the annotation ${ANNOTATION}${key} is ${cause}; ${remedy}`;
}

/** Kubernetes, "Object Names and IDs"; the field is a key of `data`. */
const NAMESPACE = /^[a-z0-9][a-z0-9-]{0,62}$/;
const OBJECT_NAME = /^[a-z0-9][a-z0-9.-]{0,252}$/;
const FIELD = /^[\w.-]{1,253}$/;

function readReference(text: string): ObjectReference | string {
  if (text.startsWith('builtin:')) return "the ActiveGate's own account, which there is not here";
  const [kind, namespace = '', name = '', field = '', ...rest] = text.split(':');
  if (kind !== 'secret' && kind !== 'configmap') return 'neither a secret nor a configmap';
  const isWhole = NAMESPACE.test(namespace) && OBJECT_NAME.test(name) && FIELD.test(field);
  return isWhole && rest.length === 0 ? { kind, namespace, name, field } : 'no whole reference';
}

const FILTER_REMEDY = `write {"mode": "include", "names": ["num_requests_*"]}, with up to ${MAX_FILTER_NAMES} names and * at their ends only`;

function readFilter(text: string | undefined, faults: string[]): TargetFilter | undefined {
  if (text === undefined) return undefined;
  let filter: { readonly mode?: unknown; readonly names?: unknown } | null | undefined;
  try {
    filter = JSON.parse(text) as typeof filter;
  } catch {
    filter = undefined;
  }
  const { mode, names } = filter ?? {};
  const isWhole =
    (mode === 'include' || mode === 'exclude') &&
    Array.isArray(names) &&
    names.length <= MAX_FILTER_NAMES &&
    // An empty list of what is included is no wish to send nothing.
    (mode === 'exclude' || names.length > 0) &&
    names.every((name): name is string => typeof name === 'string' && isNamePattern(name));
  if (isWhole) return { mode, names };
  faults.push(wrong('filter', 'no filter', FILTER_REMEDY));
  return undefined;
}
