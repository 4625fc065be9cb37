import { crc32, deflateSync } from 'node:zlib';

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Red, green and blue of each pixel, row by row from the top. */
  readonly pixels: Uint8Array;
}

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const NONE = 0;
const UP = 2;

/** A PNG of 8-bit red, green and blue. Each row stands as it is or as its difference from the row above, whichever is smaller. */
export function writePng(picture: Picture): Uint8Array {
  const { width, height, pixels } = picture;
  const stride = width * 3;
  if (pixels.length !== stride * height) {
    throw new RangeError(`${width} × ${height} pixels take ${stride * height} bytes, not ${pixels.length}`);
  }
  const rows = new Uint8Array((stride + 1) * height);
  for (let row = 0; row < height; row += 1) {
    const here = pixels.subarray(row * stride, (row + 1) * stride);
    const above = row === 0 ? undefined : pixels.subarray((row - 1) * stride, row * stride);
    const differences = above && here.map((byte, at) => byte - (above[at] ?? 0));
    const isUp = differences !== undefined && weight(differences) < weight(here);
    rows[row * (stride + 1)] = isUp ? UP : NONE;
    rows.set(isUp ? differences : here, row * (stride + 1) + 1);
  }
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 8); // bits a colour
  header.setUint8(9, 2); // red, green and blue
  const bytes = (view: DataView): Uint8Array => new Uint8Array(view.buffer);
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', bytes(header)),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', new Uint8Array()),
  ]);
}

/** What the PNG specification advises for choosing a filter: the sum of the bytes as signed numbers. */
function weight(row: Uint8Array): number {
  let sum = 0;
  for (const byte of row) sum += byte < 128 ? byte : 256 - byte;
  return sum;
}

function chunk(name: string, content: Uint8Array): Uint8Array {
  const whole = Buffer.alloc(content.length + 12);
  whole.writeUInt32BE(content.length, 0);
  whole.write(name, 4, 'latin1');
  whole.set(content, 8);
  whole.writeUInt32BE(crc32(whole.subarray(4, content.length + 8)), content.length + 8);
  return whole;
}
