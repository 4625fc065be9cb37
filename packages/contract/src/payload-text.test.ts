import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parsePayload, writePayload } from './payload-text.ts';

const parse = (text: string) => parsePayload(new TextEncoder().encode(text));

test('a payload has one spelling: white space, escapes, doubled keys and changed numbers are refused', () => {
  const refused = {
    '{"a":1,"a":2}': 'not_canonical',
    '{"a": 1}': 'not_canonical',
    ' {}': 'not_canonical',
    '{}\n': 'not_canonical',
    '{"a":1.0}': 'not_canonical',
    '{"a":1e2}': 'not_canonical',
    '{"a":9007199254740993}': 'not_canonical',
    '{"a":"\\u0041"}': 'not_canonical',
    '{"a":-0}': 'not_canonical',
    '{"b":1,"1":2}': 'not_canonical',
    '{"a":"e\u0301"}': 'not_normal',
    '{"a":"\\ud800"}': 'not_normal',
    '{"a":}': 'not_json',
    '': 'not_json',
  };
  for (const [text, fault] of Object.entries(refused)) assert.deepEqual(parse(text), { fault }, text);
});

test('bytes that are not UTF-8, and a byte order mark, are refused', () => {
  assert.deepEqual(parsePayload(Uint8Array.of(0x22, 0xff, 0x22)), { fault: 'not_utf8' });
  assert.deepEqual(parsePayload(Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b, 0x7d)), { fault: 'not_json' });
});

test('nesting beyond 32 levels is refused, a million levels too', () => {
  const nest = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
  assert.deepEqual(parse(nest(32)), { value: JSON.parse(nest(32)) });
  assert.deepEqual(parse(nest(34)), { fault: 'too_deep' });
  assert.ok('fault' in parse(nest(1_000_000)));
});

test('a backslash before “ud800” is text, not half a pair', () => {
  assert.deepEqual(parse('{"a":"\\\\ud800"}'), { value: { a: '\\ud800' } });
});

test('whatever can be written is read back as it was', () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false, maxDepth: 6 }), (value) => {
      let bytes: Uint8Array;
      try {
        bytes = writePayload(value);
      } catch {
        return; // text that is not NFC, or a number such as −0 that has no spelling
      }
      assert.deepEqual(parsePayload(bytes), { value: JSON.parse(JSON.stringify(value)) });
    }),
    { numRuns: 2000 },
  );
});

test('writing refuses what reading would refuse', () => {
  assert.throws(() => writePayload({ a: 'e\u0301' }), /not_normal/);
  assert.throws(() => writePayload({ a: '\ud800' }), /not_normal/);
});

test('any bytes are refused or read, never thrown at', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      parsePayload(bytes);
    }),
    { numRuns: 10_000 },
  );
});
