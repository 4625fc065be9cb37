import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Envelope } from '@writ/contract';
import { readReceiptText, receiptText } from './receipt-text.ts';

const envelope = (payload: string): Envelope => ({
  payloadType: 'application/vnd.in-toto+json',
  payload,
  signatures: [{ keyid: 'ed25519:a', sig: 'c2ln' }, { sig: 'c2lnMg==' }],
});
const base64 = (bytes: string | number[]): string => Buffer.from(bytes as string).toString('base64');

test('an envelope comes back as it was, whatever its payload is', () => {
  const payloads = [
    base64('{"a":"é–𝄞"}'),
    base64('two\nlines\r\n'),
    base64('\uFEFFwith a mark of its order'),
    base64([0xff, 0xfe, 0]),
    base64('a\0b'),
    base64([0xed, 0xa0, 0x80]),
    '',
    // Not the one spelling of these bytes.
    'YR==',
    'no base64',
  ];
  for (const payload of payloads)
    assert.deepEqual(readReceiptText(receiptText(envelope(payload))), envelope(payload), payload);
});

test('a text is kept as it is, and takes no more room than itself', () => {
  const text = `{"long":"${'x'.repeat(1500)}"}`;
  assert.ok(receiptText(envelope(base64(text))).endsWith(`\n${text}`));
  assert.ok(receiptText(envelope(base64(text))).length < text.length + 150);
});

test('what was written as one JSON text is read', () => {
  const old = envelope(base64('{"a":1}'));
  assert.deepEqual(readReceiptText(JSON.stringify(old)), old);
});
