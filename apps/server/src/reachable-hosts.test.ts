import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reachableHosts, withPort } from './reachable-hosts.ts';

const machine = { host: 'lab', addresses: ['192.168.1.7', 'fe80::1', 'fd00::7'] };

test('a server on all addresses is found by its local name and by each address that others can use', () => {
  for (const host of [undefined, '::', '0.0.0.0']) {
    const options = host === undefined ? {} : { host };
    assert.deepEqual(reachableHosts(options, machine), ['lab.local', '192.168.1.7', 'fd00::7']);
  }
  assert.deepEqual(reachableHosts({}, { host: 'lab.example', addresses: [] }), ['lab.example', '127.0.0.1']);
});

test('what its owner names comes first, and an address that was chosen is the only other one', () => {
  const hostNames = ['jobs.example', '192.168.1.7'];
  assert.deepEqual(reachableHosts({ hostNames }, machine), [
    'jobs.example',
    '192.168.1.7',
    'lab.local',
    'fd00::7',
  ]);
  assert.deepEqual(reachableHosts({ hostNames, host: '10.0.0.1' }, machine), [...hostNames, '10.0.0.1']);
});

test('an IPv6 address stands in brackets before its port', () => {
  assert.equal(withPort('fd00::7', 7411), '[fd00::7]:7411');
  assert.equal(withPort('lab.local', 7411), 'lab.local:7411');
});
