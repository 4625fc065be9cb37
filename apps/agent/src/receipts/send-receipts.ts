import type { PendingReceipt, ReceiptChain } from './receipt-chain.ts';

/** Sends what is durable, oldest first, again on each new link until it is accepted. */
export interface ReceiptSender {
  /** This one and all before it are on disk. */
  durable(receipt: PendingReceipt): void;
  /** A new link: everything not accepted is sent again. `null`: there is none. */
  use(line: SendingLine | null): void;
}

export interface SendingLine {
  readonly isFull: boolean;
  sendText(text: string): void;
  roomy(): Promise<void>;
}

const MOST_AT_ONCE = 500;
const MOST_BYTES = 1024 * 1024;

export function openReceiptSender(chain: Pick<ReceiptChain, 'pending' | 'seq'>): ReceiptSender {
  let line: SendingLine | null = null;
  let durableUpTo = chain.seq;
  let sentUpTo = 0;
  let isWaiting = false;
  let isDue = false;

  const pump = (): void => {
    isDue = false;
    if (!line || isWaiting) return;
    let batch: string[] = [];
    let bytes = 0;
    const to = line;
    const flush = (): void => {
      if (batch.length > 0) to.sendText(`{"is":"receipts","receipts":[${batch.join(',')}]}`);
      batch = [];
      bytes = 0;
    };
    for (const receipt of chain.pending) {
      if (receipt.seq <= sentUpTo) continue;
      if (receipt.seq > durableUpTo) break;
      if (to.isFull) {
        flush();
        waitForRoom(to);
        return;
      }
      batch.push(receipt.text);
      bytes += receipt.text.length;
      sentUpTo = receipt.seq;
      if (batch.length === MOST_AT_ONCE || bytes > MOST_BYTES) flush();
    }
    flush();
  };
  const waitForRoom = (on: SendingLine): void => {
    isWaiting = true;
    const go = (): void => {
      isWaiting = false;
      pump();
    };
    on.roomy().then(go, go);
  };
  /** Receipts that one fdatasync made durable leave in one message. */
  const pumpSoon = (): void => {
    if (isDue) return;
    isDue = true;
    queueMicrotask(pump);
  };

  return {
    durable({ seq }) {
      durableUpTo = Math.max(durableUpTo, seq);
      pumpSoon();
    },
    use(next) {
      line = next;
      sentUpTo = 0;
      pumpSoon();
    },
  };
}
