import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { readDatabaseUrl } from './read-database-url.ts';

const refused = (url: string, words: RegExp) =>
  assert.throws(
    () => readDatabaseUrl(url),
    (error: Error & { code?: string }) => {
      assert.equal(error.code, 'store.bad_url');
      assert.match(error.message, words);
      assert.doesNotMatch(inspect(error, { depth: 9, showHidden: true }), /s3cret/);
      return true;
    },
  );

test('over a network the server is verified whether the URL says so or not', () => {
  for (const url of [
    'postgres://writ@db.example/writ',
    'postgres://writ@db.example/writ?sslmode=verify-full',
    'postgresql://writ@203.0.113.7:6543/writ',
    'postgres://writ@127.0.0.1.example/writ',
    'postgres://writ@[2001:db8::1]/writ',
  ])
    assert.deepEqual(readDatabaseUrl(url).tls, { rejectUnauthorized: true, minVersion: 'TLSv1.2' }, url);
});

test('a URL that asks for less than verify-full over a network is refused, with every mode there is', () => {
  for (const mode of ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'no-verify', 'VERIFY-FULL', ''])
    refused(`postgres://writ:s3cret@db.example/writ?sslmode=${mode}`, /only verify-full is allowed/);
  refused('postgres://writ:s3cret@db.example/writ?ssl=false', /“ssl”/);
  refused('postgres://writ:s3cret@db.example/writ?options=-c%20fsync=off', /“options”/);
});

test('on this machine there is no TLS unless it is asked for', () => {
  for (const host of ['localhost', '127.0.0.1', '127.8.9.1', '[::1]'])
    assert.equal(readDatabaseUrl(`postgres://writ@${host}/writ`).tls, false, host);
  assert.notEqual(readDatabaseUrl('postgres://writ@localhost/writ?sslmode=verify-full').tls, false);
  refused('postgres://writ@localhost/writ?sslmode=prefer', /verify-full or disable/);
});

test('a Unix socket is named by its folder', () => {
  const address = readDatabaseUrl('postgres://writ@/jobs?host=/var/run/postgresql');
  assert.deepEqual(
    [address.host, address.port, address.user, address.database, address.tls],
    ['/var/run/postgresql', 5432, 'writ', 'jobs', false],
  );
  refused('postgres://writ@/jobs', /names no host/);
  refused('postgres://writ@db.example/jobs?host=/var/run/postgresql', /no other host/);
  refused('postgres://writ@/jobs?host=elsewhere', /absolute path/);
  refused('postgres://writ@/jobs?host=/var/run/postgresql&sslmode=verify-full', /no TLS on a Unix socket/);
});

test('letters that a URL cannot hold are written with %, and no password is in the name of a database', () => {
  const address = readDatabaseUrl('postgres://a%40b:s3cret%2F%3A@db.example:6543/writ');
  assert.deepEqual([address.user, address.password, address.port], ['a@b', 's3cret/:', 6543]);
  assert.equal(address.name, 'database writ at db.example:6543');
});

test('what is no address is refused without repeating it', () => {
  refused('postgres://writ:s3cret@:::/writ', /not a URL/);
  refused('mysql://writ:s3cret@db.example/writ', /begins with mysql/);
  refused('postgres://:s3cret@db.example/writ', /names no user/);
  refused('postgres://writ:s3cret@db.example', /names no database/);
  refused('postgres://writ:s3cret%zz@db.example/writ', /begins no letter/);
  refused('postgres://writ:s3cret@db.example/writ?sslrootcert=/nowhere/root.pem', /cannot be read/);
});
