import type { Picture } from './write-png.ts';

/** What one task returned: its index in the array, and the bytes of its strip.ppm. */
export interface Strip {
  readonly index: number;
  readonly ppm: Uint8Array;
}

export class SpliceError extends Error {
  override readonly name = 'SpliceError';
  readonly code: 'strip.missing' | 'strip.twice' | 'strip.malformed' | 'strip.misplaced' | 'strip.size';

  constructor(code: SpliceError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** Puts strips into picture order, whatever order they come in: 0 is the top one. */
export function spliceStrips(strips: readonly Strip[], count: number): Picture {
  const placed: (Picture | undefined)[] = Array.from({ length: count });
  for (const strip of strips) {
    if (placed[strip.index]) throw new SpliceError('strip.twice', `strip ${strip.index} came twice`);
    placed[strip.index] = readStrip(strip, count);
  }
  const missing = placed.flatMap((picture, index) => (picture ? [] : [index]));
  if (missing.length > 0) {
    const which = missing.length === 1 ? `strip ${missing[0]} is` : `strips ${missing.join(', ')} are`;
    throw new SpliceError('strip.missing', `${which} missing, of ${count}`);
  }
  const whole = placed.filter((picture) => picture !== undefined);
  const width = whole[0]?.width ?? 0;
  const other = whole.findIndex((picture) => picture.width !== width);
  if (other !== -1) {
    throw new SpliceError(
      'strip.size',
      `strip ${other} is ${whole[other]?.width} pixels wide, the first ${width}`,
    );
  }
  return {
    width,
    height: whole.reduce((sum, picture) => sum + picture.height, 0),
    pixels: Buffer.concat(whole.map((picture) => picture.pixels)),
  };
}

const HEADER = /^P6\n# strip (\d+) of (\d+)\n(\d+) (\d+)\n255\n/;

function readStrip(strip: Strip, count: number): Picture {
  const header = HEADER.exec(Buffer.from(strip.ppm.subarray(0, 100)).toString('latin1'));
  if (!header) throw new SpliceError('strip.malformed', `strip ${strip.index} is no picture of this program`);
  const [index, of, width, height] = header.slice(1).map(Number) as [number, number, number, number];
  if (index !== strip.index || of !== count) {
    throw new SpliceError(
      'strip.misplaced',
      `task ${strip.index} of ${count} returned a picture that says it is strip ${index} of ${of}`,
    );
  }
  const pixels = strip.ppm.subarray(header[0].length);
  if (pixels.length !== width * height * 3) {
    throw new SpliceError(
      'strip.size',
      `strip ${strip.index} has ${pixels.length} bytes of pixels; ${width} × ${height} take ${width * height * 3}`,
    );
  }
  return { width, height, pixels };
}
