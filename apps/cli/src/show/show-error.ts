import { explainError } from '../explain/explain-error.ts';
import type { Surroundings } from '../surroundings.ts';
import { Output } from './output.ts';
import { printable } from './printable.ts';

/** What happened, why, what next, and the stable code; on stderr, as one document with `--json`. @returns the exit code. */
export function showError(error: unknown, surroundings: Surroundings, isJson: boolean): number {
  const { code, message, next, quoted, requestId, errors, exit } = explainError(error);
  if (isJson) {
    const document = {
      error: {
        code,
        message,
        next: next ?? null,
        server: quoted ?? null,
        requestId: requestId ?? null,
        errors,
      },
    };
    surroundings.stderr.write(`${JSON.stringify(document)}\n`);
    return exit;
  }
  const output = new Output(surroundings, {});
  const lines = [
    `${output.paint('red', 'error:')} ${printable(message)} ${output.paint('dim', `[${code}]`)}`,
  ];
  if (quoted !== undefined && quoted !== '')
    lines.push(
      `  the server says: “${printable(quoted)}”${requestId === undefined ? '' : ` (request ${printable(requestId)})`}`,
    );
  for (const { pointer, detail } of errors)
    lines.push(`  ${printable(pointer || '/')}: ${printable(detail)}`);
  if (next !== undefined) lines.push(`  → ${next}`);
  surroundings.stderr.write(`${lines.join('\n')}\n`);
  return exit;
}
