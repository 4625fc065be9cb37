import { refusal } from './refuse.ts';

export const roles = ['server', 'agent', 'gateway', 'user'] as const;
export type Role = (typeof roles)[number];

export interface LeafUri {
  readonly cluster: string;
  readonly role: Role;
  readonly name: string;
}

const clusterPattern = /^[a-z2-7]{52}$/;
const namePattern = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** The one URI of a leaf: `writ://<cluster id>/<role>/<name>`. */
export function formatLeafUri({ cluster, role, name }: LeafUri): string {
  const uri = `writ://${cluster}/${role}/${name}`;
  parseLeafUri(uri);
  return uri;
}

/** Exact: no other scheme, port, escape, query, trailing slash or empty part is read as an identity. */
export function parseLeafUri(uri: string): LeafUri {
  const [scheme, empty, cluster, role, name, ...rest] = uri.split('/');
  const knownRole = roles.find((known) => known === role);
  if (
    scheme !== 'writ:' ||
    empty !== '' ||
    cluster === undefined ||
    !clusterPattern.test(cluster) ||
    knownRole === undefined ||
    name === undefined ||
    !namePattern.test(name) ||
    rest.length > 0
  ) {
    throw refusal(
      'certificate.uri_malformed',
      `The certificate names ${JSON.stringify(uri.slice(0, 200))}, which is not writ://<cluster>/<role>/<name>. Ask this cluster for a new certificate.`,
    );
  }
  return { cluster, role: knownRole, name };
}
