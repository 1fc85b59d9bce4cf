/** Where the doctor stands. What may be to blame, and where one would put it right, differ by it. */
import type { TlsFault } from './probe.ts';

export type Place =
  /** A shell. */
  | 'here'
  /** The deployed function, in no VPC. */
  | 'lambda'
  /** The deployed function, with network interfaces in subnets of a VPC. */
  | 'lambda_in_vpc';

type End = 'target' | 'dynatrace';

/** Whom one is on the way to; `proxy`: that before Dynatrace. */
export type Side = End | 'proxy';

/** Each place has every one of them. */
interface Words {
  /** A name that does not resolve. */
  readonly unresolved: Readonly<Record<End, string>>;
  /** No answer from an address; `refused` has its own words, since then the way is open. */
  readonly unreached: Readonly<Record<End, string>>;
  readonly untrusted: Readonly<Record<End, string>>;
  /** What stands in place of a check of Dynatrace where there is no endpoint. */
  readonly noEndpoint: string;
  readonly putToken: string;
  /** How to be sure of what an empty request cannot tell. */
  readonly surely: string;
}

const UNTRUSTED_TARGET = 'name its authority in tls_config: {ca: ...}';
const CLOSED = 'or send through an ActiveGate';

const DEPLOYED = {
  untrusted: {
    target: UNTRUSTED_TARGET,
    dynatrace: 'an ActiveGate with a certificate of its own: deploy with -c caBundle=ca.pem',
  },
  noEndpoint: 'Dynatrace was not checked: there is no endpoint',
  putToken: 'put it where the deployment reads it, from dt0c01. on',
  surely: 'look at the next export: nim-to-dynatrace status',
} satisfies Partial<Words>;

const WORDS: Readonly<Record<Place, Words>> = {
  here: {
    unresolved: {
      target:
        'check the name; one of a private zone or a cluster resolves only inside of it: look from there',
      dynatrace: 'check the environment id in the endpoint, and that other public names resolve from here',
    },
    unreached: {
      target: 'check address, port, routes, and that the security group of the NIM admits this place',
      dynatrace: `check the way out: NAT gateway, proxy, security group; ${CLOSED}`,
    },
    untrusted: {
      target: `${UNTRUSTED_TARGET}; for this command set NODE_EXTRA_CA_CERTS=ca.pem`,
      dynatrace:
        'an ActiveGate with a certificate of its own: for this command set NODE_EXTRA_CA_CERTS=ca.pem',
    },
    noEndpoint: 'Dynatrace was not checked: give --endpoint, and the token in DT_API_TOKEN',
    putToken: 'set DT_API_TOKEN',
    surely: 'run it once: nim-to-dynatrace run --once --endpoint ...',
  },
  lambda: {
    unresolved: {
      target:
        'check the name; one of a private hosted zone resolves only in its VPC: deploy with -c vpcId and -c subnetIds',
      dynatrace: 'check the environment id in the endpoint',
    },
    unreached: {
      target:
        'the function runs in no VPC and reaches public addresses only: deploy with -c vpcId and -c subnetIds; a public server must admit any address in its security group',
      dynatrace: 'check host and port: a function without a VPC reaches public addresses only',
    },
    ...DEPLOYED,
  },
  lambda_in_vpc: {
    unresolved: {
      target:
        "check the name; associate its private hosted zone with the function's VPC, where enableDnsSupport and enableDnsHostnames must be on; names of a cluster's own DNS resolve in no VPC",
      dynatrace:
        "check the environment id in the endpoint, and enableDnsSupport or the resolver rules of the function's VPC",
    },
    unreached: {
      target:
        "admit the function's security group in that of the NIM, on this port; then check its own egress rules, the route tables both ways (peering, transit gateway) and the network ACLs",
      dynatrace: `give the function's subnets a route 0.0.0.0/0 to a NAT gateway (an internet gateway does not serve functions) and its security group egress on this port; ${CLOSED} in the VPC`,
    },
    ...DEPLOYED,
  },
};

export function wordsAt(place: Place): Words {
  return WORDS[place];
}

export function unresolvedRemedy(place: Place, side: Side): string {
  return side === 'proxy'
    ? 'check the name of the proxy, as it was given to the deployment (-c proxy)'
    : WORDS[place].unresolved[side];
}

export function unreachedRemedy(place: Place, side: Side): string {
  return side === 'proxy'
    ? "check host and port of the proxy (-c proxy), that its security group admits the function's, and the routes to it"
    : WORDS[place].unreached[side];
}

const LISTENS = 'the host is there and nothing listens: check the port (NIM: 8000)';

/** The host answered, so that no security group and no route is to blame. */
export function refusedRemedy(place: Place): string {
  return place === 'here'
    ? `${LISTENS}, and that the container publishes it`
    : `${LISTENS}, that the container or task publishes it, and on EKS that the address is the pod's`;
}

export function tlsRemedy(
  { host, port }: { readonly host: string; readonly port: number },
  fault: TlsFault,
  side: Side,
  place: Place,
): string {
  switch (fault) {
    case 'plain':
      return `the port speaks no TLS: write http://${hostPort(host, port)}`;
    case 'time':
      return 'renew the certificate, or set the clock that is wrong';
    case 'name':
      return side === 'target'
        ? 'use a name that the certificate has, or set tls_config: {server_name: ...}'
        : 'use the name that the certificate has';
    case 'authority':
      return WORDS[place].untrusted[side === 'target' ? 'target' : 'dynatrace'];
    case 'other':
      return 'check port and scheme, and tls_config if there is one';
  }
}

/** As in a URL: an IPv6 address in brackets. */
export function hostPort(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
