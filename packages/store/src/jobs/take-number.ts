import { sql } from 'kysely';
import type { Write } from '../write.ts';

/** The next number of a sequence without gaps that outlives the process. */
export async function takeNumber({ db }: Write, name: 'job' | 'change' | 'class'): Promise<number> {
  const taken = await sql<{
    value: number;
  }>`update counter set value = value + 1 where name = ${name} returning value`.execute(db);
  return taken.rows[0]?.value ?? 0;
}

/** The number of this transaction in the sequence of changes. */
export async function changeNumber(write: Write): Promise<number> {
  return (write.change ??= await takeNumber(write, 'change'));
}
