/** What the operating system refused, in words; undefined where its own are the best there are. */
export function explainSystem(
  error: NodeJS.ErrnoException & { readonly dest?: string },
): { message: string; next: string } | undefined {
  const { code, path, dest } = error;
  const place = dest ?? path;
  // A write to what is open names no file.
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return { message: `The disk of ${place ?? 'what was being written'} is full.`, next: makeRoom };
  if (place === undefined) return undefined;
  switch (code) {
    case 'EISDIR':
      return { message: `${place} is a folder, and a file was asked for there.`, next: elsewhere };
    case 'EEXIST':
    case 'ENOTDIR':
      return { message: `${place} cannot be a folder: a file is in the way.`, next: elsewhere };
    case 'ENOENT':
      // Those above it were made, or were there.
      return error.syscall === 'mkdir'
        ? { message: `No folder can be made at ${place}: the file system there takes none.`, next: elsewhere }
        : undefined;
    case 'EACCES':
    case 'EPERM':
      return { message: `This account may not read or write ${place}.`, next: elsewhere };
    case 'EROFS':
      return { message: `${place} lies on a disk that cannot be written.`, next: elsewhere };
    case undefined:
    default:
      return undefined;
  }
}

const makeRoom = 'Make room, or choose another folder with --dir.';
const elsewhere = 'Move it away, give yourself the right to it, or choose another folder with --dir.';
