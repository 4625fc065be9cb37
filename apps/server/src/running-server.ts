import type { Log } from './log.ts';

/** What a server is started with. Everything has a default but the state folder. */
export interface ServerOptions {
  /** The state folder; what is the server's is in its subfolder `server`. */
  readonly state: string;
  /** Port for people (HTTPS). 0: any free one; then, and when left out, the one from before. */
  readonly peoplePort?: number;
  /** Port for agents (mutual TLS). Likewise. */
  readonly agentPort?: number;
  /** Address to listen on; all of them, IPv4 and IPv6, when left out. */
  readonly host?: string;
  /** What this server is called in the cluster; the machine's host name when left out. */
  readonly name?: string;
  /** Further names and addresses for the server's certificate. */
  readonly hostNames?: readonly string[];
  /** `postgres://…`; left out: what the file `server/database-url` names, else SQLite in the state folder. */
  readonly database?: string;
  readonly leaseSeconds?: number;
  /** After so long without a word from an agent its link is closed. */
  readonly silenceSeconds?: number;
  /** So much of the disk stays free; a tenth of it, at most 512 MiB, when left out. */
  readonly reserveBytes?: number;
  readonly log?: Log;
}

export interface ListeningAt {
  readonly host: string;
  readonly port: number;
}

export interface Addresses {
  /** Path of the administrator's Unix socket. */
  readonly socket: string;
  /** Null until the server has a cluster: without a cluster id there is no certificate. */
  readonly people: ListeningAt | null;
  readonly agents: ListeningAt | null;
}

export interface RunningServer {
  readonly addresses: Addresses;
  /** Resolves when the server has stopped: after `close`, or because the API was told to stop it. */
  readonly stopped: Promise<void>;
  close(): Promise<void>;
  /** Connects to an agent that listens, and serves it like one that dialed. */
  dialAgent(to: { readonly host: string; readonly port: number; readonly name: string }): Promise<void>;
}

/** `<state>/server/address.json`, for the programs of this machine. Rewritten when a port opens. */
export interface AddressFile {
  readonly pid: number;
  readonly name: string;
  readonly socket: string;
  readonly host: string | null;
  readonly peoplePort: number | null;
  readonly agentPort: number | null;
}
