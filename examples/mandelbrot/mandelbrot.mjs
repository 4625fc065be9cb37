// One horizontal strip of a picture of the Mandelbrot set, written to strip.ppm.
//   node mandelbrot.mjs [STRIPS [WIDTH HEIGHT]]
// Which strip is told by WRIT_INDEX: 0 is the top one.
import { writeFileSync, writeSync } from 'node:fs';
import process from 'node:process';

const CENTRE = { x: -0.743_643_135, y: 0.131_825_963 };
const SPAN = 0.000_02;
const MOST_STEPS = 2500;
/** Where in a pixel the colour is taken: two places smooth most edges. */
const SAMPLES = [
  [0.25, 0.25],
  [0.75, 0.75],
];
const ESCAPE = 256;

const [strips = 8, width = 1920, height = 1080] = process.argv.slice(2).map(Number);
const index = Number(process.env['WRIT_INDEX']);
if (![strips, width, height].every((n) => Number.isSafeInteger(n) && n > 0)) {
  stop('STRIPS, WIDTH and HEIGHT are whole numbers above 0');
}
if (process.env['WRIT_INDEX'] === undefined || !Number.isSafeInteger(index) || index < 0 || index >= strips) {
  stop(`WRIT_INDEX is the number of a strip, 0 to ${strips - 1}; it is ${process.env['WRIT_INDEX']}`);
}

const top = Math.floor((index * height) / strips);
const bottom = Math.floor(((index + 1) * height) / strips);
const palette = makePalette(4096);
const pixels = Buffer.alloc(width * (bottom - top) * 3);
let reported = performance.now();

for (let row = top; row < bottom; row += 1) {
  drawRow(row);
  report((row + 1 - top) / (bottom - top), `row ${row + 1 - top} of ${bottom - top}`);
}
// The strip says its place too, so that whoever splices can compare that with the task that returned it.
const header = `P6\n# strip ${index} of ${strips}\n${width} ${bottom - top}\n255\n`;
writeFileSync('strip.ppm', Buffer.concat([Buffer.from(header, 'latin1'), pixels]));

function drawRow(row) {
  const step = SPAN / width;
  for (let column = 0; column < width; column += 1) {
    let red = 0;
    let green = 0;
    let blue = 0;
    for (const [right, down] of SAMPLES) {
      const x = CENTRE.x + (column + right - width / 2) * step;
      const y = CENTRE.y - (row + down - height / 2) * step;
      const steps = escapeSteps(x, y);
      if (steps === MOST_STEPS) continue;
      const place = 3 * (Math.floor(Math.sqrt(steps) * 260) % 4096);
      red += palette[place];
      green += palette[place + 1];
      blue += palette[place + 2];
    }
    const at = ((row - top) * width + column) * 3;
    pixels[at] = red / SAMPLES.length;
    pixels[at + 1] = green / SAMPLES.length;
    pixels[at + 2] = blue / SAMPLES.length;
  }
}

/** How many steps a point takes to escape, with a fraction, so that colours have no bands. */
function escapeSteps(cx, cy) {
  let x = 0;
  let y = 0;
  let xx = 0;
  let yy = 0;
  let steps = 0;
  while (xx + yy < ESCAPE && steps < MOST_STEPS) {
    y = 2 * x * y + cy;
    x = xx - yy + cx;
    xx = x * x;
    yy = y * y;
    steps += 1;
  }
  return steps === MOST_STEPS ? MOST_STEPS : steps + 1 - Math.log2(Math.log2(xx + yy) / 2);
}

/** A round of colours: each stop is a place between 0 and 1 and its red, green and blue. */
function makePalette(size) {
  const stops = [
    [0, 4, 12, 78],
    [0.16, 30, 100, 200],
    [0.42, 240, 253, 252],
    [0.6425, 255, 172, 8],
    [0.8575, 46, 8, 30],
    [1, 4, 12, 78],
  ];
  const colours = new Float64Array(size * 3);
  for (let i = 0; i < size; i += 1) {
    const next = stops.findIndex(([place]) => place > i / size);
    const [from, to] = [stops[next - 1], stops[next]];
    const part = (i / size - from[0]) / (to[0] - from[0]);
    const eased = part * part * (3 - 2 * part);
    for (let c = 0; c < 3; c += 1) colours[3 * i + c] = from[c + 1] + (to[c + 1] - from[c + 1]) * eased;
  }
  return colours;
}

/** At most five lines a second: an agent takes ten. */
function report(progress, message) {
  const now = performance.now();
  if (now - reported < 200) return;
  reported = now;
  writeSync(1, `::writ::${JSON.stringify({ progress: Math.round(progress * 1000) / 1000, message })}\n`);
}

function stop(why) {
  process.stderr.write(`${why}\n`);
  process.exit(2);
}
