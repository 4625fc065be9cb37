import type { ServerOptions } from './running-server.ts';

/** Under which hosts others find this server: what its owner says, else its name on the local network and its addresses. */
export function reachableHosts(
  { host, hostNames = [] }: Pick<ServerOptions, 'host' | 'hostNames'>,
  machine: { readonly host: string; readonly addresses: readonly string[] },
): string[] {
  const isAny = host === undefined || host === '::' || host === '0.0.0.0';
  if (!isAny) return [...hostNames, host];
  const local = machine.host.includes('.') ? machine.host : `${machine.host}.local`;
  const addresses = machine.addresses.filter((address) => !address.startsWith('fe80:'));
  return [...new Set([...hostNames, local, ...addresses, ...(addresses.length === 0 ? ['127.0.0.1'] : [])])];
}

export const withPort = (host: string, port: number): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`;
