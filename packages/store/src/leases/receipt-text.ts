import { isUtf8 } from 'node:buffer';
import { decodeBase64, encodeBase64, type Envelope } from '@writ/contract';

/**
 * How a receipt's envelope stands in the database: its payload as the text that it is, after a line with the rest. In base64
 * it would be a third longer, and two short receipts would not fit on a page.
 */
export function receiptText(envelope: Envelope): string {
  const { payload, ...rest } = envelope;
  const bytes = decodeBase64(payload);
  // No database takes a NUL in a text.
  if (!bytes || !isUtf8(bytes) || bytes.includes(0)) return JSON.stringify(envelope);
  return `${JSON.stringify(rest)}\n${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')}`;
}

/** @param text as {@link receiptText} makes it, or the JSON of the whole envelope. */
export function readReceiptText(text: string): Envelope {
  const end = text.indexOf('\n');
  if (end === -1) return JSON.parse(text) as Envelope;
  const { payloadType, signatures } = JSON.parse(text.slice(0, end)) as Omit<Envelope, 'payload'>;
  return { payloadType, payload: encodeBase64(Buffer.from(text.slice(end + 1))), signatures };
}
