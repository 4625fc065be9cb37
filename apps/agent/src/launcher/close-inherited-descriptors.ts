import { closeSync, readFileSync, readdirSync } from 'node:fs';

const closeOnExec = 0o2000000;

/**
 * Closes what this program was started with beyond the descriptors it expects. Node closes inherited ones up to 16
 * by itself and passes higher ones on to everything it starts. Must run before anything else is opened without O_CLOEXEC.
 */
export function closeInheritedDescriptors(expected: readonly number[] = []): void {
  if (process.platform !== 'linux') return;
  for (const name of readdirSync('/proc/self/fd')) {
    const descriptor = Number(name);
    if (descriptor <= 2 || expected.includes(descriptor)) continue;
    try {
      const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, 'latin1'))?.[1];
      if (flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0) closeSync(descriptor);
    } catch {
      // The descriptor that listed the folder is gone by now.
    }
  }
}
