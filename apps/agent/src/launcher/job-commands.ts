// What runs beside the job itself, as the job's account and behind the same walls.

/** Copies inputs for a bare job, which has no file system of its own to bind them into. */
export function placeInputsCommand(blobs: ReadonlyArray<readonly [path: string, blob: string]>): string[] {
  const text =
    'while [ $# -gt 1 ]; do case $1 in */*) mkdir -p -- "./${1%/*}" || exit 1 ;; esac; cp -- "$2" "./$1" || exit 1; shift 2; done';
  return ['/bin/sh', '-c', text, 'writ-inputs', ...blobs.flat()];
}

/** Empties the job's folder; symbolic links are removed, not followed. */
export const clearCommand: readonly string[] = [
  '/bin/sh',
  '-c',
  'chmod -R u+rwX . 2>/dev/null; exec find . -mindepth 1 -delete',
  'writ-clear',
];

/**
 * Writes a tar of what the patterns can match. Only their fixed beginnings are looked at here, so that a large scratch
 * folder beside the outputs costs nothing; the agent matches exactly. Links, pipes and devices travel as what they are,
 * unopened, and are refused there.
 */
export function collectCommand(patterns: readonly string[]): string[] {
  const depths = new Map<string, number>();
  for (const pattern of patterns) {
    const parts = pattern.split('/');
    const fixed = parts.findIndex((part) => /[*?[\]{}()!+@\\]/.test(part));
    const start = `./${(fixed === -1 ? parts : parts.slice(0, fixed)).join('/')}`;
    const depth = parts.some((part) => part.includes('**'))
      ? deepest
      : fixed === -1
        ? 0
        : parts.length - fixed;
    depths.set(start, Math.max(depth, depths.get(start) ?? 0));
  }
  const text =
    'while [ $# -gt 1 ]; do find "$1" -maxdepth "$2" ! -type d -print0; shift 2; done | sort -zu | tar --create --format=pax --null --no-recursion --files-from=- --hard-dereference --owner=0 --group=0 --numeric-owner';
  return [
    '/bin/sh',
    '-c',
    text,
    'writ-collect',
    ...[...depths].flatMap(([start, depth]) => [start, String(depth)]),
  ];
}

const deepest = 100_000;
