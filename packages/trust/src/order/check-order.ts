import { BOUNDS, DEFAULTS, faultOfInputs, readOutputPatterns, taskCount } from '@writ/contract';
import type { Counter, Grants, Order, Profile, SetRef, Variant } from '@writ/contract';
import { heldSetAt } from '../signer-set/held-sets.ts';
import type { HeldSets } from '../signer-set/held-sets.ts';
import { isFresh } from '../signer-set/freshness.ts';
import type { Admitted } from '../admission/admission.ts';
import { refuse } from './open-order.ts';
import type { OpenedOrder } from './open-order.ts';

/** From loosest to strictest. */
const STRICTNESS: readonly Profile[] = ['bare', 'user', 'strict'];
export const isAtLeast = (profile: Profile, floor: Profile): boolean =>
  STRICTNESS.indexOf(profile) >= STRICTNESS.indexOf(floor);

/** Check 4: the set that the order names is one of the chain held here; a newer one is to be fetched first. */
export function checkSetNamed({ order }: OpenedOrder, sets: HeldSets): void {
  heldSetAt(sets, order.set);
}

/** Whether the chain after the sets held must be fetched before this order can be judged. */
export const namesNewerSet = (named: SetRef, sets: HeldSets): boolean =>
  named.version > sets.newest.set.version;

/** Check 5. @param newestWord see {@link isFresh} */
export function checkFreshness(sets: HeldSets, newestWord: number, now: number): void {
  if (isFresh(sets, newestWord, now)) return;
  const names = sets.current.persons
    .filter((person) => sets.current.changers.includes(person.id))
    .map((person) => person.name);
  throw refuse(
    'set.stale',
    `no word from ${names.join(' or ')} for more than ${Math.round(sets.newest.set.freshnessSeconds / 86_400)} days: one of them must use any writ command`,
  );
}

/** Check 6: what the signer set lets this person ask for, and this key of theirs. */
export function checkGrants({ order, person, entry }: OpenedOrder, sets: HeldSets): void {
  const who = person.name;
  if (person.grants.order === null) throw refuse('grant.order', `${who} may not submit orders`);
  checkGrant(order, person.grants.order, who, sets);
  if (entry.order !== null) checkGrant(order, entry.order, `${who} by the key ${entry.name}`, sets);
  const { queues } = entry.order ?? person.grants.order;
  checkCustody(order, entry.custody, queues, who);
}

function checkGrant(order: Order, grant: NonNullable<Grants['order']>, who: string, sets: HeldSets): void {
  if (!isNamed(grant.queues, order.queue))
    throw refuse('grant.queue', `${who} may not use the queue ${order.queue}`);
  if (!isNamed(grant.projects, order.project))
    throw refuse('grant.project', `${who} may not use the project ${order.project}`);
  if (!isAtLeast(order.profile, grant.profile))
    throw refuse(
      'grant.profile',
      `${who} may not ask for less isolation than ${grant.profile}; the order asks for ${order.profile}`,
    );
  if (order.network && !grant.network) throw refuse('grant.network', `${who} may not ask for network`);
  if (order.runAs !== null && !isNamed(grant.runAs, order.runAs))
    throw refuse('grant.run_as', `${who} may not run as ${order.runAs}`);
  checkDefinition(order, grant, who, sets);
}

function checkDefinition(
  { runs }: Order,
  grant: NonNullable<Grants['order']>,
  who: string,
  sets: HeldSets,
): void {
  if (runs.is === 'command') {
    if (!grant.raw) throw refuse('grant.definition', `${who} may only run definitions`);
    return;
  }
  if (!grant.definitions.includes('*') && !grant.definitions.includes(runs.digest))
    throw refuse('grant.definition', `${who} may not run the definition ${runs.digest}`);
  if (sets.current.definitionsWithdrawn.includes(runs.digest))
    throw refuse('grant.definition', `the definition ${runs.digest} was withdrawn`);
}

/** A key that a server or its pages can use is worth what the server is worth: `*` does not cover it, nor does a wider grant. */
function checkCustody(
  order: Order,
  custody: OpenedOrder['entry']['custody'],
  queues: readonly string[],
  who: string,
): void {
  if (custody === 'own') return;
  const isTooMuch =
    order.profile !== 'strict' ||
    order.network ||
    !queues.includes(order.queue) ||
    (custody === 'server' && order.runs.is !== 'definition');
  if (isTooMuch)
    throw refuse(
      'grant.custody',
      `the key of ${who} is in the custody of a ${custody}: it may not sign this`,
    );
}

const isNamed = (names: readonly string[], name: string): boolean =>
  names.includes('*') || names.includes(name);

export interface Times {
  readonly now: number;
  /** Orders that could start until then have been forgotten here: they are refused for ever. 0: none. */
  readonly purgedUpTo: number;
  /** The newest time in a trusted signature that was not ahead of this machine's clock. */
  readonly witnessed: number;
}

/** Check 7. A clock that was set back is held at the newest witnessed time. */
export function checkTimes({ order }: OpenedOrder, times: Times): void {
  const tolerance = BOUNDS.clockToleranceSeconds * 1000;
  const now = Math.max(times.now, times.witnessed);
  const from = order.notBefore ?? order.issued;
  if (order.notAfter <= times.purgedUpTo)
    throw refuse(
      'order.purged',
      'orders of that time have been forgotten here, so this one could be a repetition',
    );
  if (order.notAfter - Math.min(from, order.issued) > BOUNDS.orderSeconds * 1000)
    throw refuse('order.too_long', 'an order may be startable for 31 days at most');
  if (now > order.notAfter)
    throw refuse('order.expired', `the order could start until ${new Date(order.notAfter).toISOString()}`);
  if (now < from - tolerance)
    throw refuse('order.not_yet', `the order can start from ${new Date(from).toISOString()}`);
}

/** What an agent knows about itself: measured, admitted, configured by its owner; never told by a server. */
export interface MachineFacts {
  readonly os: string;
  readonly arch: string;
  readonly host: string;
  readonly cores: number;
  readonly memoryBytes: number;
  /** What its owner lets jobs share. */
  readonly counters: readonly Counter[];
  readonly admitted: Admitted;
  /** Strictest first: measured on this machine and offered by its owner. */
  readonly profiles: readonly { readonly profile: Profile; readonly network: boolean }[];
}

/** Check 8. Without `entry`, for routing only: whose key it is is not looked at. */
export function checkMachine(
  { order, entry }: Pick<OpenedOrder, 'order'> & Partial<Pick<OpenedOrder, 'entry'>>,
  machine: MachineFacts,
): void {
  const { admitted } = machine;
  const clause = order.machine;
  if (!isNamed(admitted.queues, order.queue))
    throw refuse(
      'machine.queue',
      `this agent was admitted for the queues ${admitted.queues.join(', ')}, not ${order.queue}`,
    );
  if (entry?.custody === 'server' && !admitted.queues.includes(order.queue))
    throw refuse(
      'machine.queue',
      `an order that a server signed runs only where the admission names the queue ${order.queue} itself`,
    );
  if (clause.agents.length > 0 && !clause.agents.includes(admitted.identity))
    throw refuse('machine.not_named', 'the order names other agents');
  if (clause.excluded.includes(admitted.identity))
    throw refuse('machine.excluded', 'the order excludes this agent');
  if (clause.notAdmitted.includes(admitted.how))
    throw refuse('machine.excluded', `the order excludes agents admitted ${admitted.how.replace('_', ' ')}`);
  for (const { fact, is } of clause.facts) {
    if (machine[fact] !== is)
      throw refuse('machine.fact', `the order asks for ${fact} ${is}, this machine has ${machine[fact]}`);
  }
  for (const wanted of clause.labels) {
    if (!hasLabel(admitted, wanted))
      throw refuse(
        'machine.label',
        `the order asks for the label ${wanted.name}${wanted.value ? `=${wanted.value}` : ''}, which this agent was not admitted with`,
      );
  }
  checkResources(order, machine);
  chooseVariant(order, machine);
  chooseProfile(order, machine);
}

/** Does it fit on this machine when nothing else runs there? */
function checkResources(
  { limits }: Order,
  { cores, memoryBytes, counters }: Pick<MachineFacts, 'cores' | 'memoryBytes' | 'counters'>,
): void {
  if (limits.cpus !== null && limits.cpus > cores)
    throw refuse('machine.resources', `the order asks for ${limits.cpus} cores, this machine has ${cores}`);
  // Who asks for nothing gets the usual limit, which a small machine need not have whole.
  if (limits.memoryBytes > Math.max(memoryBytes, DEFAULTS.memoryBytes))
    throw refuse(
      'machine.resources',
      `the order asks for ${limits.memoryBytes} bytes of memory, this machine has ${memoryBytes}`,
    );
  for (const { name, amount } of limits.counters) {
    const has = counters.find((counter) => counter.name === name)?.amount ?? 0;
    if (amount > has)
      throw refuse('machine.resources', `the order asks for ${amount} of ${name}, this machine has ${has}`);
  }
}

export const hasLabel = (
  { labels }: Pick<Admitted, 'labels'>,
  wanted: { readonly name: string; readonly value: string | null },
): boolean =>
  labels.some(
    (label) => label.name === wanted.name && (wanted.value === null || label.value === wanted.value),
  );

/** The first variant, in the order's own sequence, that this machine's measured facts match; nothing else chooses. */
export function chooseVariant(
  { runs }: Order,
  machine: Pick<MachineFacts, 'os' | 'arch'>,
): { index: number; variant: Variant } {
  if (runs.is !== 'command')
    throw refuse('definition.unavailable', 'this agent does not run definitions yet');
  const index = runs.variants.findIndex(
    ({ platform }) =>
      (platform.os ?? machine.os) === machine.os && (platform.arch ?? machine.arch) === machine.arch,
  );
  const variant = runs.variants[index];
  if (!variant)
    throw refuse('machine.platform', `the order has no variant for ${machine.os} on ${machine.arch}`);
  return { index, variant };
}

/** The strictest profile offered. `bare` only where the order asks for it *and* the machine's owner offers it. */
export function chooseProfile(
  { profile: floor, network }: Order,
  { profiles }: Pick<MachineFacts, 'profiles'>,
): Profile {
  const usable = profiles.filter((offer) => isAtLeast(offer.profile, floor) && (!network || offer.network));
  const bare = floor === 'bare' ? usable.find((offer) => offer.profile === 'bare') : undefined;
  const chosen = bare ?? usable[0];
  if (chosen) return chosen.profile;
  const offered = profiles.map((offer) => offer.profile).join(', ') || 'none';
  if (network && profiles.some((offer) => isAtLeast(offer.profile, floor)))
    throw refuse('machine.network', 'the owner of this machine gives jobs no network');
  throw refuse(
    'machine.profile',
    `the order asks for ${floor} isolation at least; measured and offered here: ${offered}`,
  );
}

/** What must hold in an order whoever reads it: the shape cannot say these. */
export function checkSound({ order }: OpenedOrder): void {
  if (order.array.is === 'schedule') throw refuse('order.malformed', 'schedules are not run by this version');
  if (order.runs.is === 'definition')
    throw refuse('definition.unavailable', 'definitions are not run by this version');
  if (order.runAs !== null)
    throw refuse('order.malformed', 'this version runs nothing in an account that an order names');
  const counted = order.limits.counters.map(({ name }) => name);
  if (new Set(counted).size !== counted.length) throw refuse('order.malformed', 'a counter is named twice');
  const count = taskCount(order.array);
  if (count < 1 || count > BOUNDS.arraySize)
    throw refuse('order.malformed', `an array has 1 to ${BOUNDS.arraySize} tasks, this one ${count}`);
  if (order.notAfter <= order.issued) throw refuse('order.malformed', 'the order ends before it begins');
  if (order.outputs.patterns.length > 0) {
    const read = readOutputPatterns(order.outputs.patterns);
    if ('fault' in read) throw refuse('order.malformed', read.fault);
  }
  if (order.runs.is === 'command') {
    for (const { command } of order.runs.variants) {
      const names = command.variables.map((variable) => variable.name);
      if (new Set(names).size !== names.length) throw refuse('order.malformed', 'a variable is set twice');
      if (command.secrets.length > 0)
        throw refuse('secret.unavailable', 'secrets are not delivered by this version');
      const fault = faultOfInputs(command.inputs);
      if (fault !== undefined) throw refuse('input.malformed', fault);
      if (command.inputs.is === 'list') checkInputPaths(command.inputs.files.map((file) => file.path));
    }
  }
}

/** No path twice, and none below another that is a file. */
export function checkInputPaths(paths: readonly string[]): void {
  const sorted = [...paths].map((path) => `${path}/`).sort();
  for (let at = 1; at < sorted.length; at += 1) {
    if (sorted[at]!.startsWith(sorted[at - 1]!))
      throw refuse('input.malformed', `two inputs share the path ${sorted[at - 1]!.slice(0, -1)}`);
  }
}
