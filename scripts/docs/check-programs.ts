import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Compares programs that pages show with the files that they are: a block that begins with three backquotes, its language
 * and a path shows that file, whole, but for the comment on its first line.
 */
export function checkPrograms(root: string): { shown: number; different: string[] } {
  const different: string[] = [];
  let shown = 0;
  for (const page of globSync('docs/**/*.md', { cwd: root }).toSorted()) {
    const text = readFileSync(join(root, page), 'utf8');
    for (const [, path = '', block = ''] of text.matchAll(/^```\w+ (\S+)\n([\s\S]*?)^```$/gm)) {
      shown += 1;
      const file = join(root, path);
      const program = existsSync(file) ? readFileSync(file, 'utf8').replace(/^\/\/ .*\n/, '') : undefined;
      if (program !== block) different.push(`${page} shows another ${path} than there is`);
    }
  }
  return { shown, different };
}
