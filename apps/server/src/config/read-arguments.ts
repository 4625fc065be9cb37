import { parseArgs } from 'node:util';
import { isLease } from './kept-lease.ts';
import type { ServerOptions } from '../running-server.ts';
import { StartError } from '../server-error.ts';

/** `--state D [--port N] [--agent-port N] [--host H] [--name N] [--host-name H …] [--database URL] [--lease-seconds S]` */
export function readArguments(argv: readonly string[]): ServerOptions {
  const text = { type: 'string' } as const;
  let values: ReturnType<typeof parse>['values'];
  try {
    ({ values } = parse(argv));
  } catch (cause) {
    throw new StartError('options.wrong', `${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
  const {
    state,
    port,
    'agent-port': agentPort,
    host,
    name,
    'host-name': hostNames,
    database,
    'lease-seconds': lease,
  } = values;
  const faults: string[] = [];
  const portOf = (flag: string, given: string | undefined): number | undefined => {
    if (given === undefined) return undefined;
    const number = /^\d{1,5}$/.test(given) ? Number(given) : Number.NaN;
    if (!(number <= 65_535)) faults.push(`${flag} is a port from 0 to 65535, not “${given}”`);
    return number;
  };
  const peoplePort = portOf('--port', port);
  const agentsPort = portOf('--agent-port', agentPort);
  const leaseSeconds = lease === undefined ? undefined : Number(lease);
  if (leaseSeconds !== undefined && !isLease(leaseSeconds))
    faults.push(`--lease-seconds is a number from 0.2 to 3600, not “${lease}”`);
  if (name !== undefined && !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name))
    faults.push(`--name has small letters, digits and hyphens, not “${name}”`);
  if (state === undefined || state === '') faults.push('--state names the state folder');
  if (state === undefined || faults.length > 0)
    throw new StartError('options.wrong', `${faults.join('; ')}.`);
  return {
    state,
    ...(peoplePort !== undefined && { peoplePort }),
    ...(agentsPort !== undefined && { agentPort: agentsPort }),
    ...(host !== undefined && { host }),
    ...(name !== undefined && { name }),
    ...(hostNames !== undefined && { hostNames }),
    ...(database !== undefined && { database }),
    ...(leaseSeconds !== undefined && { leaseSeconds }),
  };

  function parse(args: readonly string[]) {
    return parseArgs({
      args: [...args],
      strict: true,
      options: {
        state: text,
        port: text,
        'agent-port': text,
        host: text,
        name: text,
        'host-name': { type: 'string', multiple: true },
        database: text,
        'lease-seconds': text,
      },
    });
  }
}
