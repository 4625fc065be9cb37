import type { Envelope, LeasedTask } from '@writ/contract';
import type { By, Store } from '@writ/store';
import type { Admit } from '../admit.ts';
import type { Clock } from '../clock.ts';
import type { Cluster } from '../cluster.ts';
import type { Dispatch } from '../dispatch.ts';
import type { KeptFiles } from '../kept-files.ts';
import type { KeptLogs } from '../kept-logs.ts';
import type { Log } from '../log.ts';
import type { Members } from '../members.ts';
import type { Orders } from '../orders.ts';
import type { ProgressBoard } from '../progress.ts';
import type { PruneNow } from '../prune-now.ts';
import type { RefuseWhenFull } from '../refuse-when-full.ts';
import type { Arrivals, Caller } from './caller.ts';
import type { Followers } from './followers.ts';

/** An open link, as the API of people shows it. */
export interface ShownLink {
  readonly held: number;
  readonly lastHeard: number;
}

export interface PeopleParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly cluster: Cluster;
  readonly members: Members;
  readonly orders: Orders;
  readonly dispatch: Dispatch;
  readonly progress: ProgressBoard;
  readonly files: KeptFiles;
  readonly logs: KeptLogs;
  readonly admit: Admit;
  readonly arrivals: Arrivals;
  readonly uid: number;
  readonly version: string;
  readonly serverName: string;
  readonly leaseSeconds: number;
  readonly started: number;
  readonly counters: Counters;
  /** Root certificate of this server's authority, DER. */
  readonly root: Uint8Array;
  newId(): string;
  randomBytes(size: number): Uint8Array;
  /** Opens the ports: the server has a cluster now. */
  claimed(): Promise<void>;
  addresses(): { readonly people: readonly string[]; readonly agents: readonly string[] };
  links(): ReadonlyMap<string, ShownLink>;
  linkProtocols(): readonly string[];
  /** What the listeners were made with. */
  tls(): { readonly least: string; readonly tickets: boolean };
  /** Tells the agents that hold these to stop them. */
  cancel(identity: string, tasks: readonly LeasedTask[], how: 'terminate' | 'kill'): void;
  withdraw(envelope: Envelope): void;
  readonly refuseWhenFull: RefuseWhenFull;
  readonly prune: PruneNow;
  readonly followers: Followers;
  describeApi(): Promise<object>;
  stop(): void;
}

/** How many signed objects were checked since the start. */
export interface Counters {
  orders: number;
  receipts: number;
}

export const byOf = (caller: Caller, clock: Clock): By => ({
  actor: caller.actor,
  source: caller.source,
  now: clock.now(),
});
