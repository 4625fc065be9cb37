import { type Client, ClientError } from '@writ/client';
import { type Context, PeopleFolder, type PersonKey } from '@writ/client/node';
import type { ClusterView, Envelope } from '@writ/contract';
import { type HeldSets, makeFirstSet, newId, newSeed, startSets } from '@writ/trust';
import { CliError, PORT_BUSY_NEXT } from '../cli-error.ts';
import type { Surroundings } from '../surroundings.ts';
import { nameOf } from './name-of.ts';
import type { Places } from './places.ts';

export interface Claimed {
  readonly context: Context;
  readonly key: PersonKey;
  readonly sets: HeldSets;
  /** Whether the key was made now. */
  readonly isNew: boolean;
}

/**
 * Makes this person's key and signer set 1, and gives the set to the server: nothing starts before it is signed. What is
 * needed later is on disk before the server hears of it, so that a lost answer is asked for again with the same set.
 */
export async function claimCluster(
  client: Client,
  view: ClusterView,
  places: Places,
  surroundings: Surroundings,
): Promise<Claimed> {
  const people = new PeopleFolder(surroundings.settings.configFolder);
  const { contexts } = await people.readContexts();
  const known = await findKnown(people, contexts, view, places);
  if (known !== undefined) {
    await makeCurrent(people, known.context);
    if (view.cluster === null)
      await setUp(client, known.sets.chain[0]?.envelope ?? known.sets.newest.envelope);
    return known;
  }
  if (view.cluster !== null) {
    throw new CliError(
      'up.other_cluster',
      `The server in ${places.state} belongs to cluster ${view.cluster}, of which this account (${surroundings.settings.configFolder}) knows nothing.`,
      'Run it as the person who started it, with the same XDG_CONFIG_HOME, or choose another folder: --dir',
    );
  }
  const made = await makeKeyAndSet(people, view, surroundings);
  const context: Context = {
    name: freeName(contexts, view.server),
    cluster: made.sets.cluster,
    reach: { is: 'socket', state: places.state },
    person: made.key.person,
  };
  await people.writeContexts({ format: 1, current: context.name, contexts: [...contexts, context] });
  await setUp(client, made.sets.newest.envelope);
  return { context, ...made, isNew: true };
}

/** From then on the server listens: a port that somebody else has is told here for the first time. */
async function setUp(client: Client, set: Envelope): Promise<void> {
  try {
    await client.setUp(set);
  } catch (error) {
    if (!(error instanceof ClientError) || error.errors[0]?.detail !== 'listen.port_busy') throw error;
    throw new CliError('listen.port_busy', error.message, PORT_BUSY_NEXT, { cause: error });
  }
}

/** The context of this folder, when it fits what the server says. */
async function findKnown(
  people: PeopleFolder,
  contexts: readonly Context[],
  view: ClusterView,
  places: Places,
): Promise<Claimed | undefined> {
  for (const context of contexts) {
    if (context.reach.is !== 'socket' || context.person === null) continue;
    const isThis =
      view.cluster === null ? context.reach.state === places.state : context.cluster === view.cluster;
    if (!isThis) continue;
    const sets = await people.readSets(context.cluster);
    // A folder that was emptied has a new authority: its old set would not do.
    if (!sets?.newest.set.authorities.includes(view.authority)) continue;
    return { context, key: await people.readKey(context.person), sets, isNew: false };
  }
  return undefined;
}

async function makeKeyAndSet(
  people: PeopleFolder,
  view: ClusterView,
  { random, now, settings }: Surroundings,
): Promise<{ key: PersonKey; sets: HeldSets }> {
  const name = nameOf(settings.user);
  const keyName = `${name}@${nameOf(settings.host)}`;
  const key = await people.writeKey({ person: newId(random), name: keyName, seed: newSeed(random) });
  const first = makeFirstSet(
    {
      nonce: newId(random),
      now: now(),
      person: { id: key.person, name, keyName },
      authorities: [view.authority],
    },
    key.signer,
  );
  const sets = startSets(first.envelope);
  await people.writeSets(sets);
  return { key, sets };
}

async function makeCurrent(people: PeopleFolder, context: Context): Promise<void> {
  const contexts = await people.readContexts();
  if (contexts.current === null) await people.writeContexts({ ...contexts, current: context.name });
}

function freeName(contexts: readonly Context[], wanted: string): string {
  const taken = new Set(contexts.map(({ name }) => name));
  if (!taken.has(wanted)) return wanted;
  for (let number = 2; number < 10_000; number += 1) {
    const name = `${wanted.slice(0, 57)}-${number}`;
    if (!taken.has(name)) return name;
  }
  throw new ClientError('context.taken', `There are too many contexts called ${wanted}.`);
}
