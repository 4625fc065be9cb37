import { chmod, mkdir } from 'node:fs/promises';
import { StoreError } from '@writ/store';
import { holdFolder } from '@writ/store/hold-folder';
import { StartError } from './server-error.ts';

/** The state folder, closed to other accounts, is this server's alone until it is released. */
export async function holdState(folder: string): Promise<ReturnType<typeof holdFolder>> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  try {
    return holdFolder(folder);
  } catch (error) {
    if (error instanceof StoreError && error.code === 'store.in_use')
      throw new StartError('state.in_use', error.message, { cause: error });
    throw error;
  }
}
