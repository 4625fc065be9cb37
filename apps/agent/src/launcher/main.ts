import { closeInheritedDescriptors } from './close-inherited-descriptors.ts';
import { Launcher } from './launcher.ts';
import type { Clock } from './slot.ts';
import { readOwnerFile } from './owner-file.ts';

// Standard input and output are the agent's socket, standard error is the log. Whoever starts this program gives the
// owner's file as its one argument; the agent never does.
closeInheritedDescriptors();
process.umask(0o022);

const clock: Clock = {
  epochMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

/** An agent that reads nothing more is gone. */
const mostUnread = 67_108_864;

try {
  const owner = readOwnerFile(process.argv[2] ?? '', process.geteuid?.() ?? null);
  const launcher = new Launcher({
    owner,
    clock,
    send: (text) => {
      process.stdout.write(text);
      if (process.stdout.writableLength > mostUnread) leave();
    },
    leave: () => leave(),
  });
  const leave = (): void => {
    void launcher.close().finally(() => process.exit(0));
  };
  process.stdout.on('error', leave);
  process.on('SIGTERM', leave);
  process.on('SIGINT', leave);
  process.stdin.setEncoding('utf8');
  process.stdin.on('end', leave);
  process.stdin.on('error', leave);
  process.stdin.on('data', (text: string) => launcher.hear(text));
  await launcher.open();
} catch (error) {
  process.stderr.write(`writ launcher: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
