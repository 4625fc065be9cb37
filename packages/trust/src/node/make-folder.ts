import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a folder and those above it that are missing. Node's own way does not end where a file system takes no folders and
 * says of a new one that it is not there, as /proc does.
 *
 * @returns whether it was made now
 */
export async function makeFolder(folder: string, mode = 0o777): Promise<boolean> {
  try {
    return await makeOne(folder, mode);
  } catch (error) {
    const above = dirname(folder);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || above === folder) throw error;
    await makeFolder(above, mode);
    return await makeOne(folder, mode);
  }
}

async function makeOne(folder: string, mode: number): Promise<boolean> {
  try {
    await mkdir(folder, { mode });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !(await stat(folder)).isDirectory())
      throw error;
    return false;
  }
}
