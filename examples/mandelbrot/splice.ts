// Puts the strips that `writ get JOB --dir FOLDER` brought into one picture.
//   node examples/mandelbrot/splice.ts FOLDER PICTURE.png
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { SpliceError, spliceStrips, type Strip } from './splice-strips.ts';
import { writePng } from './write-png.ts';

const STRIPS = 8;

const [folder, picture, ...rest] = process.argv.slice(2);
if (folder === undefined || picture === undefined || rest.length > 0) {
  process.stderr.write('node examples/mandelbrot/splice.ts FOLDER PICTURE.png\n');
  process.exit(2);
}
try {
  const whole = spliceStrips(readStrips(folder), STRIPS);
  writeFileSync(picture, writePng(whole));
  process.stdout.write(`${picture}   ${whole.width} × ${whole.height}\n`);
} catch (error) {
  if (!(error instanceof SpliceError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

function readStrips(from: string): Strip[] {
  return Array.from({ length: STRIPS }, (_, index) => ({
    index,
    file: join(from, String(index), 'strip.ppm'),
  }))
    .filter(({ file }) => existsSync(file))
    .map(({ index, file }) => ({ index, ppm: readFileSync(file) }));
}
