/** What a program may do only in certain places, as far as an import does not show it. */
export type Power =
  | 'environment'
  | 'listening'
  | 'clock'
  | 'randomness'
  | 'cryptography'
  | 'hidden import'
  | 'evaluation'
  | 'account';

export type PowerRule = {
  readonly power: Power;
  readonly comment: string;
  /** The files that the rule is about: each pattern must match one. */
  readonly within: readonly RegExp[];
  readonly except: readonly RegExp[];
};

const OURS = [/^packages\//, /^apps\//];
const LEASE_LOGIC = [
  /^packages\/contract\//,
  /^packages\/trust\//,
  /^packages\/store\//,
  /^apps\/server\/src\/lease/,
  /^apps\/server\/src\/dispatch/,
  /^apps\/agent\/src\/handle-job\.ts$/,
  /^apps\/agent\/src\/verify/,
  /^apps\/agent\/src\/replay/,
];

export const POWER_RULES: readonly PowerRule[] = [
  {
    power: 'environment',
    comment: "The environment is read in each app's config folder and passed on as values.",
    within: OURS,
    except: [/^apps\/[^/]+\/src\/config\//, /^apps\/agent\/src\/(launcher|start)\//],
  },
  {
    power: 'listening',
    comment: 'Sockets listen in server/listen, agent/connect, agent/job-api and cli/login.',
    within: OURS,
    except: [
      /^apps\/server\/src\/listen\//,
      /^apps\/agent\/src\/(connect|job-api)\//,
      /^apps\/cli\/src\/login\//,
      // Makes the TLS server that asks for certificates and judges them; its caller lets it listen.
      /^packages\/trust\/src\/certificates\/listen-for-links\.ts$/,
    ],
  },
  {
    power: 'clock',
    comment: 'Lease and dispatch logic takes the time and timers as arguments from compose.ts.',
    within: LEASE_LOGIC,
    except: [],
  },
  {
    power: 'randomness',
    comment:
      'Lease and dispatch logic takes randomness as an argument; only making a key asks for it itself.',
    within: LEASE_LOGIC,
    except: [/^packages\/trust\/src\/primitives\//],
  },
  {
    power: 'cryptography',
    comment: 'Cryptographic primitives are used in packages/trust.',
    within: OURS,
    except: [/^packages\/trust\//],
  },
  {
    power: 'hidden import',
    comment: 'Import by name, so that the import rules see it.',
    within: OURS,
    except: [],
  },
  {
    power: 'evaluation',
    comment: 'Nothing that arrives as text is run as a program.',
    within: OURS,
    // Asks a new context for its collector: V8 gives it to no other.
    except: [/^packages\/trust\/src\/node\/free-buffers\.ts$/],
  },
  {
    power: 'account',
    comment:
      'os.userInfo() and os.homedir() throw for accounts without a passwd entry; only the CLI asks for them.',
    within: [/^packages\//, /^apps\/server\//, /^apps\/agent\//],
    except: [],
  },
];
