/** What the operating system refused, in words; undefined where its own are the best there are. */
export function explainSystem(
  error: NodeJS.ErrnoException & { readonly dest?: string },
): { message: string; next: string } | undefined {
  const { code, path, dest } = error;
  const place = dest ?? path;
  if (place === undefined) return undefined;
  switch (code) {
    case 'EISDIR':
      return { message: `${place} is a folder, and a file was asked for there.`, next: elsewhere };
    case 'EEXIST':
    case 'ENOTDIR':
      return { message: `${place} cannot be a folder: a file is in the way.`, next: elsewhere };
    case 'EACCES':
    case 'EPERM':
      return { message: `This account may not read or write ${place}.`, next: elsewhere };
    case 'EROFS':
      return { message: `${place} lies on a disk that cannot be written.`, next: elsewhere };
    case 'ENOSPC':
      return {
        message: `The disk of ${place} is full.`,
        next: 'Make room, or choose another folder with --dir.',
      };
    case undefined:
    default:
      return undefined;
  }
}

const elsewhere = 'Move it away, give yourself the right to it, or choose another folder with --dir.';
