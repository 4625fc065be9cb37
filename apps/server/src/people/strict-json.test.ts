import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseStrictJson } from './strict-json.ts';

const parse = (text: string) => parseStrictJson(Buffer.from(text));
const faultOf = (text: string) => {
  const parsed = parse(text);
  return 'fault' in parsed ? parsed.fault : undefined;
};

describe('JSON at the border', () => {
  test('what JSON.stringify writes is read as it was', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        const text = JSON.stringify(value);
        if (/"(?:__proto__|constructor|prototype)":/.test(text)) return;
        const parsed = parse(text);
        assert.deepEqual('value' in parsed && parsed.value, JSON.parse(text));
      }),
      { numRuns: 500 },
    );
  });

  test('a key that stands twice is refused, however it is spelled', () => {
    for (const text of [
      '{"a":1,"a":2}',
      '{"a":1,"\\u0061":2}',
      '{"b":{"a":1,"a":1}}',
      '{"a" :1, "a"\n:2}',
      '{"x":"\\\\","x":1}',
    ]) {
      assert.match(faultOf(text)?.detail ?? '', /twice/, text);
    }
    assert.equal(faultOf('{"a":"\\"a\\":","b":"a\\\\"}'), undefined);
  });

  test('keys of the language are refused and named', () => {
    assert.equal(faultOf('{"a":{"__proto__":{"admin":1}}}')?.pointer, '/a/__proto__');
    assert.equal(faultOf('{"constructor":1}')?.pointer, '/constructor');
    assert.equal((Object.prototype as Record<string, unknown>)['admin'], undefined);
  });

  test('33 levels, 1,001 keys and bytes that are not UTF-8 are refused', () => {
    assert.equal(faultOf('['.repeat(32) + ']'.repeat(32)), undefined);
    assert.match(faultOf('['.repeat(33) + ']'.repeat(33))?.detail ?? '', /levels/);
    const wide = Object.fromEntries(Array.from({ length: 1001 }, (_, n) => [`k${n}`, n]));
    assert.match(faultOf(JSON.stringify(wide))?.detail ?? '', /keys/);
    assert.ok('fault' in parseStrictJson(Uint8Array.of(0x22, 0xff, 0x22)));
  });
});
