/** Secrets of a scrape_config become references, and commands that store them. No value leaves this file. */
import { SECRET_HEADER } from '../config/http-config.ts';
import type { ShellValue, StoringCommand } from './commands.ts';
import { ASKED_DISCOVERIES } from './discoveries.ts';
import type { OpenTexts } from './environment.ts';
import { isSecretReference, looksLikeReference } from '../config/secret-reference.ts';
import {
  childOf,
  itemsOf,
  listAt,
  mapChildren,
  mappingAt,
  textAt,
  textOf,
  withChild,
  withEntry,
  withoutEntry,
} from '../config/yaml-tree.ts';
import { isNull } from '../config/yaml.ts';
import type { YamlMapping, YamlNode, YamlText } from '../config/yaml.ts';

/** The parameters below `<prefix>/secrets/` that an import stores. */
export interface SecretStore {
  readonly commands: readonly StoringCommand[];
  /** The reference that stands for the value of `node`; a reference is one already. */
  readonly store: (node: YamlText, job: string, key: string) => YamlText;
  /** The reference that stands for the content of the file that `node` names. */
  readonly storeFile: (node: YamlText, job: string, key: string) => YamlText;
}

/** Characters of a secret's own name: some are left for the prefix. */
const MAX_NAME_LENGTH = 128;

export function createSecretStore(prefix: string, open: OpenTexts): SecretStore {
  const commands: StoringCommand[] = [];
  // The token of Dynatrace is nobody else's.
  const taken: Names = new Map([['dt-api-token', 1]]);
  const byVariable = new Map<string, string>();
  // A variable for two secrets would store one of them under both names.
  const variables: Names = new Map(
    ['DT-API-TOKEN', 'DT-ENDPOINT', ...variablesOf(open)].map((name) => [name, 1]),
  );

  function add(name: string, value: ShellValue, comment: string): string {
    const parameter = `${prefix}/secrets/${uniqueName(name, taken)}`;
    const tier = value.kind === 'content' ? { tier: 'Intelligent-Tiering' as const } : {};
    commands.push({ parameter, type: 'SecureString', value, comment, ...tier });
    return `ssm:${parameter}`;
  }

  function store(node: YamlText, job: string, key: string): YamlText {
    const parts = open.get(node);
    const only = parts?.length === 1 ? parts[0] : undefined;
    const { line } = node.at;
    if (typeof only === 'object' && only.source === 'file') return storePath(only.name, node, job, key);
    if (typeof only === 'object' && only.source === 'env') {
      const known = byVariable.get(only.name);
      const comment = `${only.name}: what the variable held for the ${key} in line ${line}`;
      const own = known ?? add(slugOf(only.name), { kind: 'variable', name: only.name }, comment);
      byVariable.set(only.name, own);
      return textAt(node.at, own);
    }
    const name = variableOf(`${job}-${key}`, variables);
    return textAt(
      node.at,
      add(`${job}-${key}`, { kind: 'variable', name }, `set ${name} to the ${key} in line ${line} first`),
    );
  }

  function storePath(path: string, node: YamlText, job: string, key: string): YamlText {
    const comment = `the file in line ${node.at.line} has to be here, or correct its path`;
    return textAt(node.at, add(`${job}-${key}`, { kind: 'content', path }, comment));
  }

  return {
    get commands() {
      return commands;
    },
    store: (node, job, key) => {
      if (isNull(node) || node.text === '') return node;
      return isSecretReference(node.text) || looksLikeReference(node.text) ? node : store(node, job, key);
    },
    storeFile: (node, job, key) => storePath(node.text, node, job, key),
  };
}

/** What is left of `name` in an SSM parameter's name, and not among `taken`, to which it is added. */
export function uniqueName(name: string, taken: Names): string {
  const base = name.replace(/[^\w.-]+/g, '-').slice(0, MAX_NAME_LENGTH) || 'nim';
  let count = (taken.get(base) ?? 0) + 1;
  while (count > 1 && taken.has(`${base}-${count}`)) count += 1;
  const unique = count === 1 ? base : `${base}-${count}`;
  taken.set(unique, 1);
  taken.set(base, count);
  return unique;
}

/** How often each name was asked for: the second one of a name ends in -2. */
export type Names = Map<string, number>;

function slugOf(variable: string): string {
  return variable.toLowerCase().replaceAll('_', '-');
}

/** Those that the file refers to, spelt as `uniqueName` has names. */
function variablesOf(open: OpenTexts): readonly string[] {
  const parts = [...open.values()].flat().filter((part) => typeof part === 'object');
  return parts.map(({ name }) => name.replaceAll('_', '-'));
}

function variableOf(name: string, taken: Names): string {
  const upper = name
    .toUpperCase()
    .replace(/[^A-Z0-9]+/g, '-')
    .replace(/^-/, '');
  return uniqueName(/^[A-Z]/.test(upper) ? upper : `NIM-${upper}`, taken).replaceAll('-', '_');
}

/** What one scrape_config is rewritten with. */
interface Rewriting {
  readonly job: string;
  readonly secrets: SecretStore;
  readonly open: OpenTexts;
}

/** The scrape_config without any secret, as far as its keys tell what is one. */
export function withoutSecrets(config: YamlMapping, rewriting: Rewriting): YamlMapping {
  const own = withUserOfTargets(withoutClientSecrets(config, rewriting), rewriting);
  return ASKED_DISCOVERIES.reduce(
    (all, key) =>
      withChild(all, key, (entries) =>
        mapChildren(entries, (entry) =>
          entry.kind === 'mapping' ? withUserOfUrl(withoutClientSecrets(entry, rewriting), rewriting) : entry,
        ),
      ),
    own,
  );
}

/** Of whatever has the keys of an HTTP client. */
function withoutClientSecrets(config: YamlMapping, rewriting: Rewriting): YamlMapping {
  let own = withBearerToken(config);
  own = withChild(own, 'authorization', (node) => withReference(node, 'credentials', rewriting));
  own = withChild(own, 'basic_auth', (node) => withReference(node, 'password', rewriting));
  own = withChild(own, 'tls_config', (node) => {
    const withFiles = ['ca', 'cert'].reduce((tls, key) => withFileReference(tls, key, rewriting), node);
    return withReference(withFiles, 'key', rewriting);
  });
  return withChild(own, 'http_headers', (node) => withHeaderReferences(node, rewriting));
}

/** `key`, or the file of `key_file`, as a reference. */
function withReference(node: YamlNode, key: string, rewriting: Rewriting): YamlNode {
  if (node.kind !== 'mapping') return node;
  const { secrets, job } = rewriting;
  return withChild(withFileReference(node, key, rewriting) as YamlMapping, key, (value) =>
    value.kind === 'text' ? secrets.store(value, job, key) : value,
  );
}

function withFileReference(node: YamlNode, key: string, { job, secrets, open }: Rewriting): YamlNode {
  const file = childOf(node, `${key}_file`);
  if (node.kind !== 'mapping' || file?.kind !== 'text' || open.has(file)) return node;
  if (file.text === '' || childOf(node, key) !== undefined) return node;
  return withEntry(withoutEntry(node, `${key}_file`), key, secrets.storeFile(file, job, key));
}

/** The old spelling of `authorization`. */
function withBearerToken(config: YamlMapping): YamlMapping {
  const taken = ['authorization', 'basic_auth'].some((key) => childOf(config, key) !== undefined);
  const key = ['bearer_token', 'bearer_token_file'].find((one) => textOf(childOf(config, one)));
  const value = key === undefined ? undefined : childOf(config, key);
  if (taken || key === undefined || value === undefined) return config;
  const name = key === 'bearer_token' ? 'credentials' : 'credentials_file';
  const authorization = mappingAt(value.at, { [name]: value });
  return withEntry(withoutEntry(config, key), 'authorization', authorization);
}

function withHeaderReferences(node: YamlNode, { job, secrets }: Rewriting): YamlNode {
  if (node.kind !== 'mapping') return node;
  return node.entries.reduce((headers, { key: name, value: header }) => {
    if (header.kind !== 'mapping') return headers;
    const stored = (key: string): readonly YamlNode[] =>
      itemsOf(childOf(header, key)).map((item) =>
        item.kind === 'text' ? secrets.store(item, job, name) : item,
      );
    const files = itemsOf(childOf(header, 'files')).map((item) =>
      item.kind === 'text' ? secrets.storeFile(item, job, name) : item,
    );
    const isSecret = SECRET_HEADER.test(name);
    const all = [...stored('secrets'), ...(isSecret ? stored('values') : []), ...files];
    if (all.length === 0) return headers;
    const rest = ['files', ...(isSecret ? ['values'] : [])].reduce(withoutEntry, header);
    return withEntry(headers, name, withEntry(rest, 'secrets', listAt(header.at, all)));
  }, node);
}

const USER = /^((?:https?:\/\/)?)([^:@/]*):([^@/]+)@(.*)$/s;

/** `user:password@host:port`, if all targets have the same: `basic_auth`, as it would mean in a URL. */
function withUserOfTargets(config: YamlMapping, { job, secrets, open }: Rewriting): YamlMapping {
  const all = itemsOf(childOf(config, 'static_configs')).flatMap((group) =>
    itemsOf(childOf(group, 'targets')),
  );
  const users = all.map((target) => (open.has(target) ? undefined : USER.exec(textOf(target) ?? '')));
  const [first] = users;
  const other = ['authorization', 'basic_auth'].some((key) => childOf(config, key) !== undefined);
  const [target] = all;
  if (!first || target === undefined || other) return config;
  if (!users.every((user) => user?.[2] === first[2] && user?.[3] === first[3])) return config;
  const password = secrets.store(textAt(target.at, first[3] ?? '', true), job, 'password');
  const basicAuth = mappingAt(target.at, { username: textAt(target.at, first[2] ?? '', true), password });
  const bare = withChild(config, 'static_configs', (groups) =>
    mapTargets(groups, (text) => text.replace(USER, '$1$4')),
  );
  return withEntry(bare, 'basic_auth', basicAuth);
}

/** The same in the URL of a list, or of an API server. */
function withUserOfUrl(entry: YamlMapping, { job, secrets, open }: Rewriting): YamlMapping {
  const key = childOf(entry, 'url') === undefined ? 'api_server' : 'url';
  const url = childOf(entry, key);
  const [, scheme, user, password, rest] = USER.exec(textOf(url) ?? '') ?? [];
  const other = ['authorization', 'basic_auth'].some((one) => childOf(entry, one) !== undefined);
  if (url === undefined || password === undefined || other || open.has(url)) return entry;
  const basicAuth = mappingAt(url.at, {
    username: textAt(url.at, user ?? '', true),
    password: secrets.store(textAt(url.at, password, true), job, 'password'),
  });
  return withEntry(withEntry(entry, key, textAt(url.at, `${scheme}${rest}`)), 'basic_auth', basicAuth);
}

function mapTargets(groups: YamlNode, change: (text: string) => string): YamlNode {
  return mapChildren(groups, (group) =>
    group.kind !== 'mapping'
      ? group
      : withChild(group, 'targets', (targets) =>
          mapChildren(targets, (target) =>
            target.kind === 'text' ? { ...target, text: change(target.text) } : target,
          ),
        ),
  );
}
