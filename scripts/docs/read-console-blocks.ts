export type Step = {
  readonly line: number;
  readonly command: string;
  readonly expected: readonly string[];
};

/** Reads the `console` blocks of a page: `$ ` begins a command, what follows is what it prints. */
export function readConsoleBlocks(markdown: string): Step[] {
  const steps: { line: number; command: string; expected: string[] }[] = [];
  let inside = false;
  let open = false;
  for (const [at, line] of markdown.split('\n').entries()) {
    const last = steps.at(-1);
    if (line.startsWith('```')) {
      inside = !inside && line.trim() === '```console';
      open = false;
    } else if (inside && open && last?.command.endsWith('\\')) {
      last.command = `${last.command}\n${line.replace(/^> /, '')}`;
    } else if (inside && line.startsWith('$ ')) {
      steps.push({ line: at + 1, command: line.slice(2), expected: [] });
      open = true;
    } else if (inside && open) {
      last?.expected.push(line.trimEnd());
    } else if (inside && line.trim() !== '') {
      throw new Error(`line ${at + 1}: a console block begins with a command, "$ …"`);
    }
  }
  return steps;
}

/**
 * Whether the output is the expected one. `…` stands for any text within a line, and on a line of its own for any
 * number of lines.
 */
export function matchesOutput(expected: readonly string[], output: string): boolean {
  const pattern = expected
    .map((line) =>
      line.trim() === '…' ? '(?:[^\\n]*\\n)*?' : `${line.split('…').map(escape).join('[^\\n]*?')}\\n`,
    )
    .join('');
  const lines = output.split('\n').map((line) => line.trimEnd());
  while (lines.at(-1) === '') lines.pop();
  const text = lines.map((line) => `${line}\n`).join('');
  return new RegExp(`^${pattern}$`).test(text);
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
