import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readResults, readVerifiedJob } from '@writ/client';
import { writeOutputs } from '@writ/client/node';
import type { Bundle } from '@writ/contract';
import type { Person } from './open-person.ts';
import type { SubmittedPicture } from './submit-picture.ts';

/** What lies in `strips/<index>/` after {@link fetchStrips}: the strip, and what proves it. */
export const STRIP = 'strip.ppm';
export const BUNDLE = 'bundle.json';

/** Brings each task's strip, with its receipt in a bundle that `writ verify` reads too. */
export async function fetchStrips(
  person: Person,
  picture: SubmittedPicture,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const wait = (milliseconds: number): Promise<void> => sleep(milliseconds, undefined, { signal });
  const verified = await readVerifiedJob(person.client, {
    job: picture.job,
    sets: person.sets,
    kept: picture.envelope,
  });
  for await (const result of readResults(person.client, verified)) {
    const place = join(folder, String(result.index));
    mkdirSync(place, { recursive: true });
    const { predicate } = result;
    if (predicate.because !== 'exit') {
      throw new Error(`strip ${result.index} was not drawn: ${predicate.because} ${predicate.detail}`);
    }
    await writeOutputs(person.client, predicate.outputs, place, { signal, wait, tag: 'quickstart' });
    const bundle: Bundle = {
      bundle: 1,
      cluster: verified.sets.cluster,
      order: picture.envelope,
      definition: null,
      sets: verified.sets.chain.map(({ envelope }) => envelope),
      admissions: [{ admission: result.admission.admission, invite: result.admission.invite }],
      receipts: [{ receipt: result.envelope, received: null }],
    };
    writeFileSync(join(place, BUNDLE), JSON.stringify(bundle));
  }
}
