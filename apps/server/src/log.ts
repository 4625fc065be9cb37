export type LogLevel = 'debug' | 'note' | 'warning' | 'error';

/** One line of JSON for each event. Fields hold no secrets: no tokens, keys, bodies or file contents. */
export type Log = (level: LogLevel, event: string, fields?: Readonly<Record<string, unknown>>) => void;

export function logLines(write: (line: string) => void, now: () => number): Log {
  return (level, event, fields = {}) => {
    const line = { time: new Date(now()).toISOString(), level, event, ...fields };
    write(`${JSON.stringify(line, plainly)}\n`);
  };
}

/** An error as text: its stack may hold paths, but no values. */
function plainly(_key: string, value: unknown): unknown {
  if (value instanceof Error) {
    const code: unknown = Reflect.get(value, 'code');
    return {
      name: value.name,
      message: value.message,
      ...(typeof code === 'string' && { code }),
      stack: value.stack,
    };
  }
  return typeof value === 'bigint' ? String(value) : value;
}
