import { join } from 'node:path';
import { sha256 } from '@writ/trust/digest';

/** Unix socket paths end at 107 bytes; Node then says no more than EINVAL. */
const LONGEST = 100;

/** Where the administrator's socket is. The other place is short and has a folder of its own, closed to other accounts. */
export function socketPath(folder: string, uid: number): { readonly folder: string; readonly path: string } {
  const path = join(folder, 'admin.sock');
  if (Buffer.byteLength(path) <= LONGEST) return { folder, path };
  const short = Buffer.from(sha256(Buffer.from(path))).toString('hex', 0, 4);
  return { folder: `/tmp/writ-${uid}`, path: `/tmp/writ-${uid}/${short}.sock` };
}
