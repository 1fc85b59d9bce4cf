/** The targets that Dynatrace's annotations make of pods: of the pod itself, and of services that pick it. */
import type { OwnOfTargets, ScrapeSettings, SecretReference, TargetGroup } from '../scrape-config.ts';
import {
  ANNOTATION,
  type ObjectReference,
  type ReferenceKey,
  type ScrapeAnnotations,
  readPortNumber,
  readScrapeAnnotations,
} from './annotations.ts';
import type { Pod, Service, StringMap, Workload } from './objects.ts';
import { attributesOf } from './pod-attributes.ts';
import { addressOf, isReachable, podLabels } from './pod-groups.ts';

export interface Annotated {
  readonly groups: readonly TargetGroup[];
  /** Sentences for the log. */
  readonly problems: readonly string[];
}

/** A service whose annotations ask for its pods. */
export interface AnnotatedService {
  readonly service: Service;
  readonly annotations: ScrapeAnnotations;
}

/** Those that pick pods: without a selector a service picks none. */
export function annotatedServices(services: readonly Service[]): readonly AnnotatedService[] {
  return services.flatMap((service) => {
    const annotations = readScrapeAnnotations(service.annotations);
    return annotations === undefined || Object.keys(service.selector).length === 0
      ? []
      : [{ service, annotations }];
  });
}

/** `cluster`: the name of the EKS cluster; absent elsewhere, where references cannot be followed. */
export function annotatedGroups(
  pod: Pod,
  services: readonly AnnotatedService[],
  cluster: string | undefined,
): Annotated {
  if (!isReachable(pod)) return NOTHING;
  const own = readScrapeAnnotations(pod.annotations);
  const picking = services.filter(({ service }) => picks(service, pod));
  if (own === undefined && picking.length === 0) return NOTHING;
  const asked = [
    ...(own === undefined
      ? []
      : [{ who: `the pod ${pod.namespace}/${pod.name}`, annotations: own, port: portOf(pod, own) }]),
    ...picking.map(({ service, annotations }) => ({
      who: `the pod ${pod.namespace}/${pod.name} of the service ${service.name}`,
      annotations,
      port: portOf(pod, annotations, service),
    })),
  ];
  const groups = new Map<string, TargetGroup>();
  const problems: string[] = [];
  for (const { who, annotations, port } of asked) {
    const settings = settingsOf(annotations, pod.namespace, cluster);
    const [fault] = [...annotations.faults, ...(port === undefined ? [NO_PORT] : []), ...settings.faults];
    if (fault !== undefined || port === undefined) {
      problems.push(`cannot scrape ${who}: ${fault ?? NO_PORT}`);
      continue;
    }
    const group = groupOf(pod, annotations, port, settings.own, cluster);
    // The pod's own annotations win over those of services, and the first service over the next.
    const page = `${group.targets[0]} ${annotations.path ?? ''}`;
    if (!groups.has(page)) groups.set(page, group);
  }
  return { groups: [...groups.values()], problems };
}

const NOTHING: Annotated = { groups: [], problems: [] };
const NO_PORT = `no container has the port that is meant; write the annotation ${ANNOTATION}port: "8000"`;

/** A service picks pods of its own namespace that carry all labels of its selector. */
function picks({ namespace, selector }: Service, pod: Pod): boolean {
  return (
    namespace === pod.namespace && Object.entries(selector).every(([key, value]) => pod.labels[key] === value)
  );
}

/**
 * The annotation's, else the first target port of the service, else the first TCP port. Names are those of the pod's
 * ports, as a Service's are (Kubernetes, "Service", targetPort).
 */
function portOf(pod: Pod, { port }: ScrapeAnnotations, service?: Service): number | undefined {
  const ports = pod.containers.flatMap((container) => (container.isLasting ? container.ports : []));
  const tcp = ports.filter(({ protocol }) => protocol === 'TCP');
  const asked = port ?? service?.ports[0];
  if (asked === undefined) return tcp[0]?.number;
  return readPortNumber(asked) ?? tcp.find(({ name }) => name === asked)?.number;
}

function groupOf(
  pod: Pod,
  { path, secure, filter }: ScrapeAnnotations,
  port: number,
  settings: Partial<ScrapeSettings>,
  cluster: string | undefined,
): TargetGroup {
  const own: OwnOfTargets = {
    uid: pod.uid,
    attributes: attributesOf(pod, cluster),
    settings,
    ...(filter === undefined ? {} : { filter }),
  };
  const request: StringMap = {
    ...(path === undefined ? {} : { __metrics_path__: path }),
    ...(secure ? { __scheme__: 'https' } : {}),
  };
  return { targets: [addressOf(pod, port)], labels: { ...podLabels(pod), ...request }, own };
}

interface AnnotatedSettings {
  readonly own: Partial<ScrapeSettings>;
  readonly faults: readonly string[];
}

function settingsOf(
  { references, insecureSkipVerify }: ScrapeAnnotations,
  namespace: string,
  cluster: string | undefined,
): AnnotatedSettings {
  const referred = Object.values(references);
  if (cluster === undefined && referred.length > 0) return { own: {}, faults: [NOT_EKS] };
  const of = (key: ReferenceKey): SecretReference | undefined => {
    const reference = references[key];
    return reference === undefined || cluster === undefined ? undefined : referenceTo(cluster, reference);
  };
  const [ca, cert, key] = [of('tls.ca.crt'), of('tls.crt'), of('tls.key')];
  const [token, username, password] = [
    of('http.auth'),
    of('http.auth.basic.username'),
    of('http.auth.basic.password'),
  ];
  const faults = [
    ...(referred.some((one) => one.kind === 'secret' && one.namespace !== namespace) ? [FOREIGN_SECRET] : []),
    ...((cert === undefined) === (key === undefined) ? [] : [HALF_CERTIFICATE]),
    ...((username === undefined) === (password === undefined) ? [] : [HALF_BASIC]),
    ...(token !== undefined && password !== undefined ? [TWO_WAYS] : []),
  ];
  const hasTls = ca !== undefined || cert !== undefined || insecureSkipVerify;
  return {
    faults,
    own: {
      ...(hasTls && {
        tlsConfig: {
          ...(ca !== undefined && { ca: { secret: ca } }),
          ...(cert !== undefined && key !== undefined && { cert: { secret: cert }, key: { secret: key } }),
          insecureSkipVerify,
        },
      }),
      ...(token !== undefined && { authorization: { type: 'Bearer', credentials: token } }),
      ...(username !== undefined &&
        password !== undefined && { basicAuth: { username: { secret: username }, password } }),
    },
  };
}

const NOT_EKS =
  'its annotations refer to secrets, which are read of EKS clusters only; write api_server: eks://<cluster>, or authorization and tls_config in the document';
/** Or whoever may write a pod in one namespace would be sent the secrets of another. */
const FOREIGN_SECRET =
  'its annotations refer to a Secret of another namespace, which is not sent to its pods; copy the Secret into theirs';
const HALF_CERTIFICATE = `a client certificate needs both ${ANNOTATION}tls.crt and ${ANNOTATION}tls.key; write the other one too`;
const HALF_BASIC = `it needs both ${ANNOTATION}http.auth.basic.username and .password; write the other one too`;
const TWO_WAYS = `${ANNOTATION}http.auth and http.auth.basic stand beside each other; remove one of the two`;

/** How the worker is told where the value is; `cluster` and the rest have no slash in them. */
function referenceTo(cluster: string, { kind, namespace, name, field }: ObjectReference): SecretReference {
  return `eks://${cluster}/${kind}/${namespace}/${name}/${field}`;
}

/** Annotations on the workload itself reach no pod: the commonest mistake, told with its cure. */
export function misplacedAnnotations(workloads: readonly Workload[]): readonly string[] {
  return workloads.flatMap(({ kind, namespace, name, annotations, podAnnotations }) => {
    if (annotations[`${ANNOTATION}scrape`] !== 'true' || podAnnotations[`${ANNOTATION}scrape`] !== undefined)
      return [];
    const cause = `${ANNOTATION}scrape is an annotation of the ${kind} itself, not of its pods`;
    return [
      `cannot scrape the pods of ${namespace}/${name}: ${cause}; move it to spec.template.metadata.annotations`,
    ];
  });
}
