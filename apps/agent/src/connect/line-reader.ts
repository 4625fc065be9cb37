import { AgentError } from '../agent-error.ts';

/** Cuts a byte stream into lines. A line longer than `most` ends the link. */
export function readLines(most: number, onLine: (line: string) => void): (chunk: Buffer) => void {
  let held: Buffer[] = [];
  let size = 0;
  return (chunk) => {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(10, from);
      if (end < 0) break;
      const part = chunk.subarray(from, end);
      const line = size > 0 ? Buffer.concat([...held, part]) : part;
      held = [];
      size = 0;
      from = end + 1;
      if (line.length > most) throw tooLong(most);
      if (line.length > 0) onLine(line.toString('utf8'));
    }
    if (from === chunk.length) return;
    held.push(chunk.subarray(from));
    size += chunk.length - from;
    if (size > most) throw tooLong(most);
  };
}

const tooLong = (most: number): AgentError =>
  new AgentError(
    'link.malformed',
    `The server sent a message of more than ${most} bytes. Is it a writ server of this version?`,
  );
