import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

// Reads a command line by line and evaluates none of it. A shell reads a pipe byte by byte, so what stays the same from
// one run to the next is not sent again. A line's first character says what the rest is:
//   z another command begins: a argument · v variable of it alone · n the last one goes on after a newline
//   e u export, unset · k index of the task: the variables that tell it follow from it
//   i file set · f d limits of file size (512-byte blocks) and of open files
//   X S the same without a shell in between, for a command named by its path; F D their limits
//   x run it bare · s run it in bwrap · t c the same two with standard output into the tar
// Output is appended to files that whoever runs it has emptied: a job that empties them itself, as `> /dev/stderr` does,
// leaves no hole.
const loopText = `files=$1 run=$2 work=$3 bwrap=$4 filter=$5
set --
unset PWD OLDPWD
nl='
'
v=0 have= last= o=$files/out0 e=$files/err0 t=$files/tar0 f=unlimited d=1024
limit() { ulimit -c 0; ulimit -f "$f"; ulimit -n "$d"; } 2>/dev/null
ulimit -c 0
echo ready
exec 2>/dev/null
while IFS= read -r line; do
  rest=\${line#?}
  case $line in
  a*) if [ "$have" ]; then set -- "$@" "$last"; fi; last=$rest have=1 ;;
  k*) export WRIT_INDEX="$rest" WRIT_VALUE="$rest" WRIT_TASK="$WRIT_JOB.$rest" ;;
  e*) export "$rest" ;;
  x) if [ "$have" ]; then set -- "$@" "$last"; fi
    (limit; cd "$work" || exit 126; unset PWD OLDPWD
      while [ "$v" -gt 0 ]; do export "$1"; shift; v=$((v-1)); done
      exec "$@") </dev/null >>"$o" 2>>"$e"
    echo "$?"; have= ;;
  s) if [ "$have" ]; then set -- "$@" "$last"; fi
    (limit; exec "$bwrap" --args 3 -- "$@") </dev/null >>"$o" 2>>"$e" 3<"$run/args" 4<"$filter" 5>"$run/status"
    echo "$?"; have= ;;
  t) if [ "$have" ]; then set -- "$@" "$last"; fi
    (limit; cd "$work" || exit 126; exec "$@") </dev/null >"$t" 2>/dev/null
    echo "$?"; have= ;;
  c) if [ "$have" ]; then set -- "$@" "$last"; fi
    (limit; exec "$bwrap" --args 3 -- "$@") </dev/null >"$t" 2>/dev/null 3<"$run/args" 4<"$filter" 5>"$run/status"
    echo "$?"; have= ;;
  X) if [ "$have" ]; then set -- "$@" "$last"; fi
    cd "$work"; unset PWD OLDPWD
    "$@" </dev/null >>"$o" 2>>"$e"
    echo "$?"; cd /; have= ;;
  S) if [ "$have" ]; then set -- "$@" "$last"; fi
    "$bwrap" --args 3 -- "$@" </dev/null >>"$o" 2>>"$e" 3<"$run/args" 4<"$filter" 5>"$run/status"
    echo "$?"; have= ;;
  z) set --; v=0 have= ;;
  v*) if [ "$have" ]; then set -- "$@" "$last"; fi; last=$rest have=1 v=$((v+1)) ;;
  n*) last=$last$nl$rest ;;
  u*) unset "$rest" ;;
  i*) o=$files/out$rest e=$files/err$rest t=$files/tar$rest ;;
  f*) f=$rest ;;
  d*) d=$rest ;;
  F*) ulimit -S -f "$rest" ;;
  D*) ulimit -n "$rest" ;;
  esac
done`;

export interface LoopPlace {
  /** What stands before `/bin/sh`: entering the cgroup, namespaces, dropping the account. */
  readonly prefix: readonly string[];
  readonly filesFolder: string;
  readonly runFolder: string;
  readonly workFolder: string;
  readonly bwrap: string;
  readonly filterFile: string;
}

export interface LoopCommand {
  readonly how: 'bare' | 'sandbox' | 'collect-bare' | 'collect';
  readonly argv: readonly string[];
  /** For `bare` only: a sandbox gets its variables from the arguments file. */
  readonly env: ReadonlyMap<string, string>;
  readonly fileSet: number;
  readonly fileSizeBytes: number;
  readonly nofile: number;
  /** Where the file system and the cgroup bound the job already, its file size need be no hard limit. */
  readonly isDirect?: boolean;
}

const runs = { bare: 'x\n', sandbox: 's\n', 'collect-bare': 't\n', collect: 'c\n' } as const;

/** Names that the loop may keep exported between runs: the shell itself gives them no meaning that matters here. */
const keepable = /^(?:WRIT_[A-Za-z0-9_]*|PATH|HOME|LANG|TMPDIR)$/;

/** One `/bin/sh` of one slot. Ends with everything it started when it is killed. */
export class SlotLoop {
  readonly gone: Promise<void>;
  readonly pid: number;
  readonly ready: Promise<boolean>;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  #exported = new Map<string, string>();
  #sent = '';
  #fileSet = 0;
  #blocks = -1;
  #softBlocks = -1;
  #hardNofile = Infinity;
  #nofile = 1024;
  #settle: ((code: number | null) => void) | null = null;
  #partial = '';
  #isGone = false;
  #isKilled = false;

  constructor(place: LoopPlace) {
    const line = [
      ...place.prefix,
      '/bin/sh',
      '-c',
      loopText,
      'writ-loop',
      place.filesFolder,
      place.runFolder,
      place.workFolder,
      place.bwrap,
      place.filterFile,
    ];
    this.#child = spawn(line[0] ?? '/bin/sh', line.slice(1), {
      env: {},
      cwd: '/',
      stdio: ['pipe', 'pipe', 'inherit'],
      detached: true,
    });
    this.pid = this.#child.pid ?? -1;
    let sayReady: (is: boolean) => void = () => {};
    this.ready = new Promise((resolve) => (sayReady = resolve));
    this.gone = new Promise((resolve) => {
      const end = (): void => {
        this.#isGone = true;
        sayReady(false);
        this.#end(null);
        resolve();
      };
      this.#child.once('close', end);
      this.#child.once('error', end);
    });
    this.#child.stdin.on('error', () => {});
    this.#child.stdout.setEncoding('latin1');
    this.#child.stdout.on('data', (text: string) => {
      const lines = (this.#partial + text).split('\n');
      this.#partial = lines.pop() ?? '';
      for (const line of lines) {
        if (line === 'ready') sayReady(true);
        else this.#end(Number(line));
      }
    });
  }

  /** The exit code as a shell tells it, or null when the loop died. */
  run(command: LoopCommand): Promise<number | null> {
    if (this.isGone) return this.gone.then(() => null);
    const ended = new Promise<number | null>((resolve) => (this.#settle = resolve));
    this.#child.stdin.write(this.#frame(command));
    return ended;
  }

  get isGone(): boolean {
    return this.#isGone || this.#isKilled;
  }

  /** A limit on open files that was lowered for a direct run cannot be raised again. */
  canGive(nofile: number): boolean {
    return nofile <= this.#hardNofile;
  }

  kill(): void {
    this.#isKilled = true;
    if (this.#isGone || this.pid <= 0) return;
    try {
      // It leads a group of its own, in which a bare job stays unless it leaves it.
      process.kill(-this.pid, 'SIGKILL');
    } catch {
      this.#child.kill('SIGKILL');
    }
  }

  #end(code: number | null): void {
    const settle = this.#settle;
    this.#settle = null;
    settle?.(code);
  }

  #frame(command: LoopCommand): string {
    let lines = '';
    if (command.fileSet !== this.#fileSet) lines += `i${(this.#fileSet = command.fileSet)}\n`;
    const blocks = Math.ceil(command.fileSizeBytes / 512);
    if (blocks !== this.#blocks) lines += `f${(this.#blocks = blocks)}\n`;
    if (command.nofile !== this.#nofile) lines += `d${(this.#nofile = command.nofile)}\n`;
    lines += this.#frameIndex(command.env);
    for (const name of this.#exported.keys()) {
      if (command.env.has(name)) continue;
      lines += `u${name}\n`;
      this.#exported.delete(name);
    }
    let ofThisRun = '';
    for (const [name, value] of command.env) {
      if (this.#exported.get(name) === value) continue;
      if (keepable.test(name) && !value.includes('\n')) {
        lines += `e${name}=${value}\n`;
        this.#exported.set(name, value);
      } else {
        if (this.#exported.delete(name)) lines += `u${name}\n`;
        ofThisRun += frameText('v', `${name}=${value}`);
      }
    }
    let words = ofThisRun;
    for (const argument of command.argv) words += frameText('a', argument);
    if (words !== this.#sent) lines += `z\n${words}`;
    this.#sent = words;
    // A shell starts a plain command without copying itself, which halves the price of a short job. A name without a
    // slash could be one of the shell's own commands, so only a path is started so.
    const isPlain =
      command.isDirect === true &&
      ofThisRun === '' &&
      (command.how === 'sandbox' || command.argv[0]?.includes('/') === true);
    if (!isPlain || (command.how !== 'sandbox' && command.how !== 'bare')) return lines + runs[command.how];
    if (blocks !== this.#softBlocks) lines += `F${(this.#softBlocks = blocks)}\n`;
    if (command.nofile !== this.#hardNofile) lines += `D${(this.#hardNofile = command.nofile)}\n`;
    return lines + (command.how === 'bare' ? 'X\n' : 'S\n');
  }

  /** From one task of an array to the next only its index changes; what does not follow from it is sent as it is. */
  #frameIndex(env: LoopCommand['env']): string {
    const index = env.get('WRIT_INDEX');
    const job = this.#exported.get('WRIT_JOB');
    if (!isIndex(index) || job === undefined || this.#exported.get('WRIT_INDEX') === index) return '';
    this.#exported.set('WRIT_INDEX', index).set('WRIT_VALUE', index).set('WRIT_TASK', `${job}.${index}`);
    return `k${index}\n`;
  }
}

const isIndex = (text: string | undefined): text is string => text !== undefined && /^\d{1,16}$/.test(text);

/** One line for each line of the text: `a` or `v` begins it, `n` goes on after a newline. */
export function frameText(kind: 'a' | 'v', text: string): string {
  return `${kind}${text.includes('\n') ? text.replaceAll('\n', '\nn') : text}\n`;
}
