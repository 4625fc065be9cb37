import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildOrder, submitJob } from '@writ/client';
import { collectInputs, uploadFiles } from '@writ/client/node';
import { newId, signOrder, setRef } from '@writ/trust';
import type { Envelope } from '@writ/contract';
import type { Person } from './open-person.ts';

export const STRIPS = 8;

export interface SubmittedPicture {
  readonly job: string;
  /** What was signed here: results are held against it, not against what a server shows. */
  readonly envelope: Envelope;
  readonly digest: string;
}

/** Orders one picture as an array of eight tasks, signed with the person's own key. */
export async function submitPicture(
  person: Person,
  wish: { readonly root: string; readonly bare: boolean },
  signal: AbortSignal,
): Promise<SubmittedPicture> {
  const wait = (milliseconds: number): Promise<void> => sleep(milliseconds, undefined, { signal });
  const { inputs, sources } = await collectInputs(join(wish.root, 'examples', 'mandelbrot'), [
    'mandelbrot.mjs',
  ]);
  const job = newId((bytes) => crypto.getRandomValues(bytes));
  const order = buildOrder(
    {
      argv: ['node', 'mandelbrot.mjs', String(STRIPS)],
      inputs,
      outputs: ['strip.ppm'],
      outputsRequired: true,
      array: { is: 'range', from: 0, to: STRIPS - 1 },
      // A floor: an agent takes the strictest profile that it has.
      profile: wish.bare ? 'bare' : 'user',
      timeSeconds: 300,
    },
    {
      cluster: person.sets.cluster,
      set: setRef(person.sets.newest),
      person: person.key.person,
      key: person.key.signer.key,
      job,
      now: Date.now(),
    },
  );
  const { envelope, digest } = signOrder(order, person.key.signer);
  await uploadFiles(person.client, sources, { signal, wait });
  await submitJob(person.client, { envelope, digest, job }, { signal, wait });
  return { job, envelope, digest };
}
