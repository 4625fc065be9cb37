import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { matchesOutput, type Step } from './read-console-blocks.ts';

export type Fault = { readonly line: number; readonly says: string };

/**
 * Types the commands of a page one after another into one shell, in an empty home folder, and compares what they
 * print. Where it is possible the shell has a network and process numbers of its own, so that nothing outlives it.
 */
export async function runSteps(steps: readonly Step[], checkout: string, minutes = 5): Promise<Fault[]> {
  const home = mkdtempSync(join(tmpdir(), 'writ-docs-'));
  const shell = startShell(home, checkout);
  const limit = setTimeout(() => endShell(shell), minutes * 60_000);
  const faults: Fault[] = [];
  try {
    for (const [at, step] of steps.entries()) {
      const { output, exitCode } = await type(shell, step.command);
      const shows = (says: string): number =>
        faults.push({ line: step.line, says: `$ ${step.command}\n${says}` });
      if (exitCode === undefined) {
        shows(`the shell ended, or ${minutes} minutes were over, after:\n${output}`);
        break;
      }
      if (!matchesOutput(step.expected, output)) {
        shows(`should print:\n${step.expected.join('\n')}\nand printed:\n${output}`);
      }
      // A page shows a failure by asking for it.
      if (exitCode !== 0 && steps[at + 1]?.command !== 'echo $?') shows(`ended with ${exitCode}:\n${output}`);
    }
  } finally {
    clearTimeout(limit);
    endShell(shell);
    rmSync(home, { recursive: true, force: true });
  }
  return faults;
}

function startShell(home: string, checkout: string): ChildProcess {
  const bin = join(home, '.bin');
  mkdirSync(bin);
  const writ = join(bin, 'writ');
  writeFileSync(
    writ,
    `#!/bin/sh\nexec '${process.execPath}' '${join(checkout, 'apps/cli/src/main.ts')}' "$@"\n`,
  );
  chmodSync(writ, 0o755);
  const shell = spawn('bash', ['--noprofile', '--norc', '-c', `${apart()} bash --noprofile --norc`], {
    cwd: home,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      HOME: home,
      PATH: [bin, process.env['PATH'] ?? ''].join(delimiter),
      LANG: 'C.UTF-8',
      TMPDIR: tmpdir(),
      NO_COLOR: '1',
    },
  });
  shell.stdin?.write(`exec 2>&1\n${isApart() ? 'ip link set lo up\n' : ''}`);
  return shell;
}

const APART = ['unshare', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];

// /var/lib/writ is where Writ of root keeps its state; the page gets an empty one.
function apart(): string {
  if (!isApart()) return '';
  const empty = 'mkdir -p /var/lib/writ && mount -t tmpfs -o mode=0755 tmpfs /var/lib/writ && exec "$0" "$@"';
  return `exec ${APART.join(' ')} sh -c '${empty}'`;
}

function isApart(): boolean {
  const [unshare = '', ...flags] = APART;
  return (
    spawnSync(unshare, [...flags, 'sh', '-c', 'ip link set lo up && mount -t tmpfs tmpfs /mnt']).status === 0
  );
}

async function type(
  shell: ChildProcess,
  command: string,
): Promise<{ output: string; exitCode: number | undefined }> {
  const mark = `end-${randomBytes(8).toString('hex')}`;
  let output = '';
  const { stdin, stdout } = shell;
  if (!stdin || !stdout || shell.exitCode !== null || shell.signalCode !== null)
    return { output, exitCode: undefined };
  return new Promise((resolve) => {
    const collect = (text: string): void => {
      output += text;
      const end = new RegExp(`\\n?${mark} (\\d+)\\n`).exec(output);
      if (end) finish(output.slice(0, end.index), Number(end[1]));
    };
    const ended = (): void => finish(output, undefined);
    const finish = (text: string, exitCode: number | undefined): void => {
      stdout.off('data', collect);
      shell.off('exit', ended);
      resolve({ output: text, exitCode });
    };
    shell.once('exit', ended);
    stdout.setEncoding('utf8').on('data', collect);
    // The exit code is given back, for a page that asks for it next.
    stdin.write(`${command}\n{ status=$?; printf '\\n${mark} %s\\n' "$status"; (exit "$status"); }\n`);
  });
}

function endShell(shell: ChildProcess): void {
  if (shell.pid === undefined || shell.exitCode !== null || shell.signalCode !== null) return;
  try {
    process.kill(-shell.pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}
