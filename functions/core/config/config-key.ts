/** What the table of keys (config/config-keys) says of each. */

/** How a value is read. `mapping` and `list` have keys, or names, of their own. */
export type Kind =
  | 'text'
  | 'flag'
  | 'duration'
  | 'count'
  | 'bytes'
  | 'choice'
  | 'texts'
  | 'secret'
  | 'certificate'
  | 'mapping'
  | 'list';

/** Means here what it means in Prometheus. */
export interface HonouredKey {
  readonly use: 'honoured';
  readonly kind: Kind;
  /** As it would be written; the reader reads it where the key is absent or null. */
  readonly default?: string;
  /** What an absent key means where that is no fixed value. */
  readonly absent?: string;
  /** Of a count, bytes; characters of a text, entries of a list. */
  readonly max?: number;
  readonly choices?: readonly string[];
  /** Words for what a list or mapping should look like. */
  readonly example?: string;
  readonly about: string;
}

/** Nothing here can depend on it: it is noted. */
export interface NoEffectKey {
  readonly use: 'no effect';
  /** Why. */
  readonly about: string;
}

/** Without it the document would mean something else: it is an error, but where it is empty or false. */
export interface RefusedKey {
  readonly use: 'refused';
  readonly about: string;
  /** The remedy: what to use instead. */
  readonly instead: string;
}

export type ConfigKey = HonouredKey | NoEffectKey | RefusedKey;
export type KeyTable = Readonly<Record<string, ConfigKey>>;

/** Where a key stands, in the words of messages. */
export const PLACES = {
  document: 'a Prometheus file',
  global: 'global',
  scrape_config: 'a scrape_config',
  static_configs: 'an entry of static_configs',
  dns_sd_configs: 'an entry of dns_sd_configs',
  http_sd_configs: 'an entry of http_sd_configs',
  kubernetes_sd_configs: 'an entry of kubernetes_sd_configs',
  namespaces: 'namespaces',
  selectors: 'an entry of selectors',
  kubernetes_dynatrace: 'dynatrace in kubernetes_sd_configs',
  relabel_configs: 'a relabel rule',
  authorization: 'authorization',
  basic_auth: 'basic_auth',
  tls_config: 'tls_config',
  http_headers: 'a header of http_headers',
  dynatrace: 'dynatrace',
} as const;
export type Place = keyof typeof PLACES;

export function noEffect(about: string): NoEffectKey {
  return { use: 'no effect', about };
}

export function refused(about: string, instead: string): RefusedKey {
  return { use: 'refused', about, instead };
}
