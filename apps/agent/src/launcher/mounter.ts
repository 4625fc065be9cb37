import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { SlotLoop } from './slot-loop.ts';
import type { RunPrivileged } from './work-folder.ts';

/** A loop that keeps the launcher's rights, for mounts; no job comes near it. Who opens it closes it. */
export interface Mounter {
  /** One after the other. */
  readonly run: RunPrivileged;
  close(): Promise<void>;
}

const parentFolder = '/run/writ-launcher';

/** @param name always the same for one launcher: what a killed one left is taken away by the next. */
export async function openMounter(name: string, setpriv: string | null): Promise<Mounter> {
  const folder = `${parentFolder}/${name}`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const file of ['out0', 'err0', 'tar0']) writeFileSync(`${folder}/${file}`, '');
  mkdirSync(`${folder}/work`);
  const loop = new SlotLoop({
    prefix: setpriv === null ? [] : [setpriv, '--pdeathsig', 'KILL'],
    filesFolder: folder,
    runFolder: folder,
    workFolder: '/',
    bwrap: '',
    filterFile: '',
  });
  await loop.ready;
  let last: Promise<unknown> = Promise.resolve();
  const command = {
    how: 'bare',
    env: new Map([['PATH', '/usr/sbin:/usr/bin:/sbin:/bin']]),
    fileSet: 0,
    nofile: 1024,
    fileSizeBytes: 2 ** 50,
  } as const;
  return {
    run(argv) {
      const code = last.then(() => loop.run({ ...command, argv }));
      last = code;
      return code;
    },
    async close() {
      loop.kill();
      await loop.gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
