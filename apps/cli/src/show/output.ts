import { styleText } from 'node:util';
import type { Surroundings } from '../surroundings.ts';
import { printable } from './printable.ts';

export interface OutputWish {
  readonly json?: boolean | undefined;
  readonly quiet?: boolean | undefined;
}

/** One answer in its forms: what the table shows, the document has. */
export interface Answer {
  /** The document of `--json`: its shape is published. */
  readonly value: unknown;
  /** What `-q` prints, one a line. */
  readonly ids: readonly string[];
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What a terminal shows instead of a table. */
  readonly text?: string | undefined;
}

type Colour = 'red' | 'green' | 'yellow' | 'dim' | 'bold';

/** Data goes to stdout, everything else to stderr. */
export class Output {
  readonly form: 'table' | 'tsv' | 'json' | 'ids';
  readonly #surroundings: Surroundings;

  constructor(surroundings: Surroundings, wish: OutputWish) {
    this.#surroundings = surroundings;
    this.form =
      wish.json === true
        ? 'json'
        : wish.quiet === true
          ? 'ids'
          : surroundings.stdout.isTTY === true
            ? 'table'
            : 'tsv';
  }

  answer({ value, ids, head, rows, text }: Answer): void {
    switch (this.form) {
      case 'json':
        this.line(JSON.stringify(value, null, this.#surroundings.stdout.isTTY === true ? 2 : undefined));
        return;
      case 'ids':
        for (const id of ids) this.line(printable(id));
        return;
      case 'tsv':
        for (const row of rows) this.line(row.map(printable).join('\t'));
        return;
      case 'table':
        if (text === undefined) this.#table(head, rows);
        else this.line(text);
    }
  }

  /** One document of a stream (NDJSON). Nothing unless `--json`. */
  event(value: unknown): void {
    if (this.form === 'json') this.line(JSON.stringify(value));
  }

  line(text: string): void {
    this.#surroundings.stdout.write(`${text}\n`);
  }

  /** For people, on stderr. Silent with `-q` and `--json`. */
  note(text: string): void {
    if (this.form === 'table' || this.form === 'tsv') this.#surroundings.stderr.write(`${text}\n`);
  }

  /** For people, on stderr, whatever the form. */
  warn(text: string): void {
    this.#surroundings.stderr.write(`${this.paint('yellow', 'warning:')} ${text}\n`);
  }

  /** A line that replaces itself; nothing when stderr is not a terminal. */
  progress(text: string): void {
    const { stderr } = this.#surroundings;
    if (stderr.isTTY === true && this.form === 'table')
      stderr.write(`\r\u001b[K${text.slice(0, (stderr.columns ?? 80) - 1)}`);
  }

  endProgress(): void {
    const { stderr } = this.#surroundings;
    if (stderr.isTTY === true && this.form === 'table') stderr.write('\r\u001b[K');
  }

  paint(colour: Colour, text: string): string {
    const { settings, stderr } = this.#surroundings;
    const isOn = settings.isColourForced || (stderr.isTTY === true && !settings.isColourOff);
    return isOn ? styleText(colour, text, { validateStream: false }) : text;
  }

  #table(head: readonly string[], rows: readonly (readonly string[])[]): void {
    const lines = [head.map((name) => name.toUpperCase()), ...rows.map((row) => row.map(printable))];
    const widths = head.map((_name, at) => Math.max(...lines.map((line) => (line[at] ?? '').length)));
    for (const line of lines) {
      this.line(
        line
          .map((cell, at) => (at === line.length - 1 ? cell : cell.padEnd(widths[at] ?? 0)))
          .join('  ')
          .trimEnd(),
      );
    }
  }
}
