import type { ReceiptLogs } from './receipt-logs.ts';

/** Short logs of results that came too late to count: a lease that comes again adopts such a result, with its logs. */
export interface LateLogs {
  keep(digest: string, logs: ReceiptLogs): void;
  of(digest: string): ReceiptLogs | undefined;
}

/** The oldest go first. */
const MOST_BYTES = 8 * 1024 * 1024;

export function openLateLogs(mostBytes = MOST_BYTES): LateLogs {
  const kept = new Map<string, ReceiptLogs>();
  let bytes = 0;
  return {
    keep(digest, { stdout, stderr }) {
      const size = sizeOf({ stdout, stderr });
      if (size === 0 || kept.has(digest)) return;
      kept.set(digest, { stdout, stderr });
      bytes += size;
      for (const [oldest, logs] of kept) {
        if (bytes <= mostBytes) return;
        kept.delete(oldest);
        bytes -= sizeOf(logs);
      }
    },
    of: (digest) => kept.get(digest),
  };
}

const sizeOf = ({ stdout, stderr }: ReceiptLogs): number => (stdout?.length ?? 0) + (stderr?.length ?? 0);
