import { isIP } from 'node:net';

/** Under which names and addresses programs that compare host names may reach this server. */
export interface HostNames {
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

const DNS_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
const MOST = 100;

/** The machine's own names and addresses, loopback, and what its owner adds. */
export function hostNames(
  machine: { readonly host: string; readonly addresses: readonly string[] },
  more: readonly string[],
): HostNames {
  const host = machine.host.toLowerCase();
  const given = [
    ...more,
    'localhost',
    host,
    `${host.replace(/\.local$/, '')}.local`,
    '127.0.0.1',
    '::1',
    ...machine.addresses,
  ];
  const dnsNames = given.filter((name) => isIP(name) === 0 && DNS_NAME.test(name));
  // A zone is about this machine only.
  const ipAddresses = given.map((name) => name.replace(/%.*$/, '')).filter((name) => isIP(name) !== 0);
  return { dnsNames: once(dnsNames), ipAddresses: once(ipAddresses) };
}

/** What the cluster calls this server when nobody says: the host name, as far as a name may have its letters. */
export function serverNameOf(host: string): string {
  const name = host
    .toLowerCase()
    .replace(/\..*$/, '')
    .replaceAll(/[^a-z0-9-]/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 63)
    .replace(/-+$/, '');
  return name === '' ? 'server' : name;
}

const once = (list: readonly string[]): string[] => [...new Set(list)].toSorted().slice(0, MOST);
