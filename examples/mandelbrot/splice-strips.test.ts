// needs: python3
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { spliceStrips, type Strip } from './splice-strips.ts';
import { writePng } from './write-png.ts';

const WIDTH = 96;
const HEIGHT = 54;
const COUNT = 8;
const folder = mkdtempSync(join(tmpdir(), 'writ-strips-'));
after(() => rmSync(folder, { recursive: true }));

const strips = Array.from({ length: COUNT }, (_, index) => draw(index, COUNT));

test('strips that return in any order make the same picture', () => {
  const inOrder = writePng(spliceStrips(strips, COUNT));
  assert.deepEqual(writePng(spliceStrips(strips.toReversed(), COUNT)), inOrder);
  const shuffled = [3, 0, 7, 1, 6, 2, 5, 4].map((index) => strips[index]!);
  assert.deepEqual(writePng(spliceStrips(shuffled, COUNT)), inOrder);
});

test('eight strips are the picture that one strip would be', () => {
  assert.deepEqual(spliceStrips(strips, COUNT), spliceStrips([draw(0, 1)], 1));
});

test('a missing strip is named', () => {
  assert.throws(() => spliceStrips(strips.toSpliced(5, 1), COUNT), {
    code: 'strip.missing',
    message: 'strip 5 is missing, of 8',
  });
  assert.throws(() => spliceStrips(strips.slice(2), COUNT), { message: 'strips 0, 1 are missing, of 8' });
});

test('a strip that came twice is named', () => {
  assert.throws(() => spliceStrips([...strips, strips[2]!], COUNT), { code: 'strip.twice', message: /2/ });
});

test('a picture that another task returned is not taken', () => {
  const swapped = strips.with(2, { index: 2, ppm: strips[6]!.ppm });
  assert.throws(() => spliceStrips(swapped, COUNT), {
    code: 'strip.misplaced',
    message: /task 2 .* strip 6/,
  });
});

test('a strip that is cut short is named', () => {
  const cut = strips.with(4, { index: 4, ppm: strips[4]!.ppm.subarray(0, -1) });
  assert.throws(() => spliceStrips(cut, COUNT), { code: 'strip.size', message: /strip 4/ });
});

test('a strip that is no picture is named', () => {
  const other = strips.with(1, { index: 1, ppm: Buffer.from('not a picture') });
  assert.throws(() => spliceStrips(other, COUNT), { code: 'strip.malformed', message: /strip 1/ });
});

test('a decoder that shares nothing with this writer reads the same pixels', () => {
  const picture = spliceStrips(strips, COUNT);
  const png = join(folder, 'picture.png');
  const raw = join(folder, 'picture.raw');
  writeFileSync(png, writePng(picture));
  const read = spawnSync('python3', ['-c', DECODER, png, raw], { encoding: 'utf8' });
  assert.equal(read.status, 0, read.stderr);
  assert.equal(read.stdout.trim(), `${WIDTH} ${HEIGHT} filters 0 2`);
  assert.deepEqual(readFileSync(raw), Buffer.from(picture.pixels));
});

test('the program says which indexes it takes', () => {
  for (const index of ['8', '-1', 'x', undefined]) {
    const ended = runProgram(index, ['8', '16', '16'], folder);
    assert.equal(ended.status, 2);
    assert.match(ended.stderr, /WRIT_INDEX is the number of a strip, 0 to 7/);
  }
});

function draw(index: number, count: number): Strip {
  const ended = runProgram(String(index), [String(count), String(WIDTH), String(HEIGHT)], folder);
  assert.equal(ended.status, 0, ended.stderr);
  return { index, ppm: readFileSync(join(folder, 'strip.ppm')) };
}

function runProgram(index: string | undefined, rest: readonly string[], cwd: string) {
  const program = fileURLToPath(new URL('mandelbrot.mjs', import.meta.url));
  const env = index === undefined ? {} : { WRIT_INDEX: index };
  return spawnSync(process.execPath, [program, ...rest], { cwd, env, encoding: 'utf8' });
}

const DECODER = `
import struct, sys, zlib
png = open(sys.argv[1], 'rb').read()
assert png[:8] == b'\\x89PNG\\r\\n\\x1a\\n'
at, body, names = 8, b'', []
while at < len(png):
    size, = struct.unpack('>I', png[at:at+4])
    name, content = png[at+4:at+8], png[at+8:at+8+size]
    crc, = struct.unpack('>I', png[at+8+size:at+12+size])
    assert zlib.crc32(name + content) == crc, name
    names.append(name)
    if name == b'IHDR': width, height, depth, colour, *rest = struct.unpack('>IIBBBBB', content)
    if name == b'IDAT': body += content
    at += 12 + size
assert names[0] == b'IHDR' and names[-1] == b'IEND' and (depth, colour, rest) == (8, 2, [0, 0, 0])
rows, stride, out, above, filters = zlib.decompress(body), width * 3, b'', bytes(width * 3), set()
assert len(rows) == (stride + 1) * height
for row in range(height):
    line = rows[row * (stride + 1):(row + 1) * (stride + 1)]
    filters.add(line[0])
    above = line[1:] if line[0] == 0 else bytes((a + b) & 255 for a, b in zip(line[1:], above))
    out += above
open(sys.argv[2], 'wb').write(out)
print(width, height, 'filters', *sorted(filters))
`;
