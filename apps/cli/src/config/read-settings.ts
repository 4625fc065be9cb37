import { homedir, hostname, userInfo } from 'node:os';
import path from 'node:path';

/** What the environment says. Read once, here only. */
export interface Settings {
  /** The person's own files: contexts, keys, pins. */
  readonly configFolder: string;
  /** State of servers and agents, unless `--dir` says otherwise. */
  readonly stateFolder: string;
  /** `WRIT_CONTEXT` */
  readonly context: string | undefined;
  /** `WRIT_TOKEN` */
  readonly token: string | undefined;
  readonly isColourOff: boolean;
  readonly isColourForced: boolean;
  /** `WRIT_NO_INPUT` or `CI`: a question is an error. */
  readonly isInputOff: boolean;
  readonly host: string;
  readonly user: string;
  readonly shell: string | undefined;
  /** Passed on to the programs that `writ up` starts: their place to look for tools. */
  readonly toolPath: string;
  readonly home: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

export function readSettings(
  environment: Environment = process.env,
  uid: number | undefined = process.getuid?.(),
): Settings {
  const home = environment['HOME'] || homedir();
  const ownState = path.join(
    absolute(environment['XDG_STATE_HOME']) ?? path.join(home, '.local', 'state'),
    'writ',
  );
  const isMachines = uid === 0 && absolute(environment['XDG_STATE_HOME']) === undefined;
  return {
    configFolder: path.join(absolute(environment['XDG_CONFIG_HOME']) ?? path.join(home, '.config'), 'writ'),
    stateFolder: isMachines ? '/var/lib/writ' : ownState,
    context: environment['WRIT_CONTEXT'] || undefined,
    token: environment['WRIT_TOKEN'] || undefined,
    isColourOff: (environment['NO_COLOR'] ?? '') !== '' || environment['TERM'] === 'dumb',
    isColourForced: (environment['FORCE_COLOR'] ?? '') !== '' && environment['FORCE_COLOR'] !== '0',
    isInputOff: (environment['WRIT_NO_INPUT'] ?? '') !== '' || (environment['CI'] ?? '') !== '',
    host: hostname(),
    user: environment['USER'] || nameOfUser(),
    shell: environment['SHELL'],
    toolPath: environment['PATH'] || '/usr/local/bin:/usr/bin:/bin',
    home,
  };
}

/** The XDG specification: a relative path is to be ignored. */
const absolute = (value: string | undefined): string | undefined =>
  value !== undefined && path.isAbsolute(value) ? value : undefined;

function nameOfUser(): string {
  try {
    return userInfo().username;
  } catch {
    return 'somebody'; // ids without an account have no name
  }
}
