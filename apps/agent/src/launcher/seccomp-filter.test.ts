import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seccompFilter } from './seccomp-filter.ts';

const allow = 0x7fff0000;
const kill = 0x80000000;
const eperm = 0x00050001;

/** What the kernel's interpreter would answer; the filter uses no more instructions than these. */
function answer(filter: Buffer, arch: number, call: number, args: readonly number[] = []): number {
  const load = (offset: number): number =>
    offset === 0 ? call : offset === 4 ? arch : (args[(offset - 16) / 8] ?? 0);
  let held = 0;
  for (let at = 0; ; at++) {
    const [code, yes, no] = [
      filter.readUInt16LE(at * 8),
      filter.readUInt8(at * 8 + 2),
      filter.readUInt8(at * 8 + 3),
    ];
    const value = filter.readUInt32LE(at * 8 + 4);
    if (code === 0x06) return value;
    if (code === 0x20) held = load(value);
    else {
      const is = code === 0x15 ? held === value : code === 0x35 ? held >= value : (held & value) !== 0;
      at += is ? yes : no;
    }
  }
}

const machines = [
  {
    machine: 'x64',
    arch: 0xc000003e,
    other: 0x40000003,
    read: 0,
    mount: 165,
    clone: 56,
    ioctl: 16,
    socket: 41,
  },
  {
    machine: 'arm64',
    arch: 0xc00000b7,
    other: 0x40000028,
    read: 63,
    mount: 40,
    clone: 220,
    ioctl: 29,
    socket: 198,
  },
] as const;

for (const { machine, arch, other, read, mount, clone, ioctl, socket } of machines)
  test(`the filter for ${machine} allows the usual and refuses the rest by name`, () => {
    const filter = seccompFilter(machine);
    const says = (call: number, ...args: number[]): number => answer(filter, arch, call, args);
    assert.ok(filter.length / 8 < 256, 'jumps reach no farther than 255');
    assert.equal(answer(filter, other, read), kill);
    assert.equal(says(read), allow);
    assert.equal(says(mount), eperm);
    assert.equal(says(clone, 17), allow);
    assert.equal(says(clone, 17 | 0x10000000), eperm);
    assert.equal(says(435), 0x00050000 | 38);
    assert.equal(says(ioctl, 0, 0x5401), allow);
    assert.equal(says(ioctl, 0, 0x5412), eperm);
    for (const family of [1, 2, 10]) assert.equal(says(socket, family, 1, 0), allow);
    assert.equal(says(socket, 16, 3, 0), allow);
    assert.equal(says(socket, 16, 3, 9), 0x00050000 | 97);
    assert.equal(says(socket, 40, 1, 0), 0x00050000 | 97);
    if (machine === 'x64') assert.equal(says(0x40000000 + 165), kill);
  });
