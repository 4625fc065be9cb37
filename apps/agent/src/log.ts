export type LogFields = Readonly<Record<string, string | number | boolean | null>>;

/** One line of JSON per event: what a person reads when something is wrong. */
export type Log = (event: string, fields?: LogFields) => void;

/** Text of an error for a log line. */
export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** A log that writes lines to `write`. */
export function openLog(write: (line: string) => void, now: () => number): Log {
  return (event, fields = {}) => {
    write(`${JSON.stringify({ time: new Date(now()).toISOString(), event, ...fields })}\n`);
  };
}
