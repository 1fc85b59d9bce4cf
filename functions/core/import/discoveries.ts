/** Discoveries of something that ran within a cluster: the file says neither which one, nor has it an account there. */
import type { Findings } from '../config/findings.ts';
import {
  childOf,
  entriesOf,
  mapChildren,
  textAt,
  textOf,
  withChild,
  withEntry,
  withoutEntry,
} from '../config/yaml-tree.ts';
import type { YamlMapping, YamlNode } from '../config/yaml.ts';

interface Context {
  readonly findings: Findings;
  /** Values by name. */
  readonly given: ReadonlyMap<string, string>;
}

/** Other servers that a job asks for targets, each with a request of its own. */
export const ASKED_DISCOVERIES = ['http_sd_configs', 'kubernetes_sd_configs'] as const;
/** Whatever finds targets elsewhere than in the document. */
export const DISCOVERIES = ['dns_sd_configs', ...ASKED_DISCOVERIES] as const;

/** With the name of the cluster, and without the account of the pod that had asked it. */
export function withDiscoveries(config: YamlMapping, context: Context): YamlMapping {
  const each = (own: YamlMapping, key: string, change: (entry: YamlMapping) => YamlMapping): YamlMapping =>
    withChild(own, key, (entries) =>
      mapChildren(entries, (entry) => (entry.kind === 'mapping' ? change(entry) : entry)),
    );
  const own = withoutAccount(config, OF_TARGETS, context);
  const listed = each(own, 'http_sd_configs', (entry) => withoutAccount(entry, OF_LIST, context));
  return each(listed, 'kubernetes_sd_configs', (entry) =>
    withCluster(withoutNodeOfPod(withoutAccount(entry, OF_CLUSTER, context), context), context),
  );
}

const OF_TARGETS =
  'the targets are asked without it; where they want one, store it as a secret and write authorization or tls_config';
const OF_LIST = 'store what the server wants as a secret, and write authorization or tls_config';
const OF_CLUSTER =
  'the cluster knows the deployment by its access entry, or write authorization and tls_config';

/** What a cluster puts into each pod: its token, and its authority. */
const ACCOUNT = /^\/(?:var\/)?run\/secrets\/kubernetes\.io\/serviceaccount\//;

function withoutAccount(node: YamlMapping, instead: string, { findings }: Context): YamlMapping {
  let own = node;
  const leaveOut = (path: readonly [string, ...string[]]): void => {
    const [key, ...rest] = path;
    const file = path.reduce<YamlNode | undefined>(childOf, node);
    if (file === undefined || !ACCOUNT.test(textOf(file) ?? '')) return;
    own = rest.reduce(
      (from, inner) => withChild(from, key, (child) => withoutEntry(child as YamlMapping, inner)),
      rest.length === 0 ? withoutEntry(own, key) : own,
    );
    if (rest.length > 0 && entriesOf(childOf(own, key)).every((entry) => entry.key === 'type'))
      own = withoutEntry(own, key);
    const cause = 'it belongs to the pod that ran the file';
    findings.note(file.at, `${path.join(': ')} is left out: ${cause}; ${instead}`);
  };
  leaveOut(['bearer_token_file']);
  leaveOut(['authorization', 'credentials_file']);
  leaveOut(['tls_config', 'ca_file']);
  return own;
}

/** The API server as its own pods name it. */
const WITHIN = /^(?:https?:\/\/kubernetes(?:\.default(?:\.svc(?:\.cluster\.local)?)?)?(?::\d+)?\/?)?$/;
/** The name under `--set`. */
export const CLUSTER = 'CLUSTER';

/** `eks://` and what `--set CLUSTER=...` gives, which may be the URL of another API server, too. */
function withCluster(entry: YamlMapping, { findings, given }: Context): YamlMapping {
  const server = childOf(entry, 'api_server');
  if (server !== undefined && !WITHIN.test(textOf(server) ?? '')) return entry;
  const at = server?.at ?? entry.at;
  const cluster = given.get(CLUSTER);
  // Of another role the whole job is refused.
  if (cluster === undefined && textOf(childOf(entry, 'role')) === 'pod') {
    findings.note(
      at,
      `fill in the cluster: run again with --set ${CLUSTER}=NAME of EKS, or the URL of an API server, or edit the document, which has eks://${CLUSTER} in its place`,
    );
  }
  const name = cluster ?? CLUSTER;
  const filled = textAt(at, name.includes('://') ? name : `eks://${name}`);
  const named = withEntry(withoutEntry(entry, 'kubeconfig_file'), 'api_server', filled);
  // EKS has an authority of its own.
  return name.includes('://') ? named : withoutEntry(named, 'tls_config');
}

/** A Collector on each node asks for its own pods only; here one asks for all. */
function withoutNodeOfPod(entry: YamlMapping, { findings }: Context): YamlMapping {
  return withChild(entry, 'selectors', (selectors) =>
    mapChildren(selectors, (selector) => {
      const field = childOf(selector, 'field');
      if (selector.kind !== 'mapping' || field === undefined) return selector;
      if (!/^spec\.nodeName=\$[{(]/.test(textOf(field) ?? '')) return selector;
      findings.note(
        field.at,
        'field of selectors is left out: the pods of all nodes are scraped from one place',
      );
      return withoutEntry(selector, 'field');
    }),
  );
}
