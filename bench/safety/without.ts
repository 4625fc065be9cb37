import type { Change } from '../copy-checkout.ts';

/** A copy of the programs in which one thing that makes them safe is off. */
export interface Without {
  readonly name: string;
  /** What the server then says of its database; undefined: as ever. */
  readonly says?: string;
  readonly isUnsigned?: boolean;
  readonly changes: readonly Change[];
  readonly preludes: Readonly<Partial<Record<'server' | 'agent', string>>>;
}

const PRIMITIVES = 'packages/trust/src/primitives/node.ts';
/** Those of the command line stay: people, machines and orders are who they say they are. */
const UNSIGNED = 'globalThis.writUnsigned = true;';

export const EVERYTHING: Without = { name: 'everything on', changes: [], preludes: {} };

export const WITHOUT: readonly Without[] = [
  {
    name: 'SQLite with synchronous = normal',
    says: 'synchronous normal',
    changes: [
      {
        file: 'packages/store/src/sqlite/open-sqlite.ts',
        from: 'synchronous = full',
        to: 'synchronous = normal',
      },
    ],
    preludes: {},
  },
  {
    name: "the agent's records not synced",
    changes: [
      {
        file: 'apps/agent/src/append-file.ts',
        from: 'fdatasync(descriptor, (error) => (error ? reject(error) : resolve()));',
        to: 'void reject, resolve();',
      },
    ],
    preludes: {},
  },
  {
    name: 'server and agent neither sign nor verify',
    isUnsigned: true,
    changes: [
      {
        file: PRIMITIVES,
        from: 'sign: (bytes) => sign(null, bytes, key)',
        to: 'sign: (bytes) => globalThis.writUnsigned ? new Uint8Array(64) : sign(null, bytes, key)',
      },
      {
        file: PRIMITIVES,
        from: '(bytes, signature) => verify(null, bytes, key, signature)',
        to: '(bytes, signature) => globalThis.writUnsigned === true || verify(null, bytes, key, signature)',
      },
    ],
    preludes: { server: UNSIGNED, agent: UNSIGNED },
  },
];

export const NOT_RUN =
  'G11 TLS against plain: who speaks on a link is known by its certificate alone, so that nothing runs without TLS';
