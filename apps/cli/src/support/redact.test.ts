import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeRedactor } from './redact.ts';

const redact = makeRedactor([]);

describe('what is taken out of text for other people', () => {
  for (const [what, text, left] of [
    ['a token', 'used writ_AbCdEf0123456789xyz here', 'used writ_[removed] here'],
    ['an invite', 'join writ1-abcdefgh234567@host:7411,other:1 now', 'join writ1-[removed] now'],
    [
      'a private key',
      '{"pem":"-----BEGIN PRIVATE KEY-----\\nMIGH\\n-----END PRIVATE KEY-----\\n"}',
      '{"pem":"[removed]\\n"}',
    ],
    ['half a private key', 'why: -----BEGIN PRIVATE KEY-----\nMIGHAgEA', 'why: [removed]'],
    ["a database's password", 'postgres://writ:hunter2hunter@db/jobs', 'postgres://[removed]@db/jobs'],
    ['a header', 'Authorization: Bearer abc.def', 'Authorization: Bearer [removed]'],
    ['a named value', 'PGPASSWORD=hunter2 x', 'PGPASSWORD=[removed] x'],
    ['a named value in JSON', '{"dbPassword":"hunter2","port":1}', '{"dbPassword":"[removed]","port":1}'],
    ['a named value in JSON in JSON', '"{\\"seed\\":\\"abc\\"}"', '"{\\"seed\\":\\"[removed]\\"}"'],
    ['bytes of a key', `why ${'Ab3_'.repeat(11)} end`, 'why [removed] end'],
  ] as const)
    test(what, () => assert.equal(redact(text), left));

  test('not what everybody may know', () => {
    const open = [
      `sha256:${'0f'.repeat(32)}`,
      `ed25519:${'Ab3_'.repeat(11).slice(0, 43)}`,
      'mfrggzdfmztwq2lknnwg23tpobyxe43uov3ho6dzpiydcmrtgq2tmnzy'.slice(0, 52),
      '6rf56oyqgknni634sat6jdxqha.12',
      '/var/lib/writ/server/files/tmp',
      '{"time":"2026-01-01T00:00:00.000Z","level":"note","event":"link.opened"}',
    ];
    for (const text of open) assert.equal(redact(text), text);
  });

  test("this machine's own secrets, in each form that bytes are written in", () => {
    const bytes = Buffer.from(Array.from({ length: 18 }, (_, at) => at * 13 + 7));
    const own = makeRedactor([bytes.toString('base64url'), 'short', 'a "quoted" secret']);
    for (const form of ['base64', 'base64url', 'hex'] as const)
      assert.equal(own(`x ${bytes.toString(form)} y`), 'x [removed] y');
    assert.equal(own(JSON.stringify('a "quoted" secret')), '"[removed]"');
    assert.equal(own('cut short'), 'cut short', 'a word that stands in any text is none');
  });
});
