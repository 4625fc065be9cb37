import { readFileSync } from 'node:fs';
import process from 'node:process';

/** What Writ is built for and this machine cannot run. Nothing here is a test that was skipped. */
export function notRunHere(): string[] {
  const lines: string[] = [];
  if (process.platform !== 'linux')
    lines.push(`profiles strict and user: this is ${process.platform}, not Linux`);
  if (process.platform !== 'darwin') lines.push(`an agent on macOS: this is ${process.platform}`);
  if (process.platform !== 'win32') lines.push(`an agent on Windows: this is ${process.platform}`);
  if (process.arch !== 'arm64') lines.push(`the system call filter on arm64: this is ${process.arch}`);
  if (!hasMemoryController()) lines.push('limits by cgroup v2: no memory controller is in the v2 hierarchy');
  return lines;
}

function hasMemoryController(): boolean {
  return ['/sys/fs/cgroup/cgroup.controllers', '/sys/fs/cgroup/unified/cgroup.controllers'].some((file) => {
    try {
      return readFileSync(file, 'utf8').split(/\s+/).includes('memory');
    } catch {
      return false;
    }
  });
}
