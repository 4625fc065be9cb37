/** What a program that ended said last in its log, for a person: its reason where the line has one. */
export function lastWords(log: string): string {
  const lines = log.trim().split('\n').slice(-20).toReversed();
  const reason = lines.map(reasonIn).find((found) => found !== undefined);
  return reason ?? lines[0]?.trim() ?? '';
}

function reasonIn(line: string): string | undefined {
  try {
    const { why, error } = JSON.parse(line) as { why?: unknown; error?: { message?: unknown } | string };
    const text = why ?? (typeof error === 'object' ? error.message : error);
    return typeof text === 'string' ? text : undefined;
  } catch {
    return undefined;
  }
}
