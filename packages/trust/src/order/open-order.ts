import { BOUNDS, orderCheck, PAYLOAD_TYPES } from '@writ/contract';
import type { Envelope, Order, Person, RefusalCode, SignerKey, SignerSet } from '@writ/contract';
import { openEnvelope } from '../envelope/open.ts';
import { seal } from '../envelope/seal.ts';
import type { Sealed } from '../envelope/seal.ts';
import type { Signer } from '../keys.ts';
import { allKeys, findKey } from '../signer-set/find-key.ts';
import { heldSetAt } from '../signer-set/held-sets.ts';
import type { HeldSets } from '../signer-set/held-sets.ts';
import { keyFault } from '../signer-set/key-fault.ts';
import type { KeyFault } from '../signer-set/key-fault.ts';
import { TrustError } from '../trust-error.ts';

/** An order whose signature holds, and whose it is. */
export interface OpenedOrder {
  readonly order: Order;
  readonly digest: string;
  readonly person: Person;
  readonly entry: SignerKey;
}

export const signOrder = (order: Order, signer: Signer): Sealed => seal(PAYLOAD_TYPES.order, order, [signer]);

/** The one error that becomes a signed refusal. */
export const refuse = (code: RefusalCode, detail: string): TrustError => new TrustError(code, detail);

const CODES: Record<string, RefusalCode> = {
  'envelope.malformed': 'order.envelope_bad',
  'envelope.type_wrong': 'order.type_wrong',
  'envelope.key_unknown': 'order.signer_unknown',
  'envelope.signature_bad': 'order.signature_bad',
  'envelope.format_unknown': 'order.format_unknown',
  'envelope.payload_malformed': 'order.malformed',
};

/**
 * Checks 2 and 3 of an agent's list: the envelope, then who signed it, as the newest set held has them.
 * A verifier of old results passes the set of that time as `under`.
 */
export function openOrder(envelope: Envelope, sets: HeldSets, under: SignerSet = sets.current): OpenedOrder {
  const { value: order, digest, signedBy } = openAsOrder(envelope, under);
  if (order.cluster !== sets.cluster)
    throw refuse('order.cluster_other', `the order is for cluster ${order.cluster}, this is ${sets.cluster}`);
  const found = findKey(under, order.key);
  if (!found || found.person.id !== order.person)
    throw refuse(
      'order.signer_unknown',
      `the key ${order.key} is not one of the person that the order names`,
    );
  checkKey(order, found.person, found.entry, sets);
  checkCosigners(order, under, signedBy, sets);
  return { order, digest, ...found };
}

function openAsOrder(envelope: Envelope, under: SignerSet) {
  try {
    return openEnvelope(envelope, {
      type: PAYLOAD_TYPES.order,
      check: orderCheck,
      candidates: allKeys(under),
      maxBytes: BOUNDS.orderBytes,
    });
  } catch (error) {
    if (error instanceof TrustError && CODES[error.code])
      throw new TrustError(CODES[error.code]!, error.message, { cause: error });
    throw error;
  }
}

const KEY_CODES: Record<KeyFault, RefusalCode> = {
  key_compromised: 'order.key_compromised',
  key_retired: 'order.key_retired',
  key_expired: 'order.key_expired',
  form_wrong: 'order.form_wrong',
  custody: 'grant.custody',
};

function checkKey(order: Order, person: Person, entry: SignerKey, sets: HeldSets): void {
  const whose = `the key ${entry.key} of ${person.name}`;
  const fault = keyFault({ person, entry }, { at: order.issued, digest: '', isOrder: true });
  if (fault) throw refuse(KEY_CODES[fault.is], `${whose} ${fault.why}`);
  if (entry.ended?.is !== 'retired') return;
  const then = findKey(heldSetAt(sets, order.set).set, entry.key);
  if (then?.entry.ended !== null)
    throw refuse('order.key_retired', `${whose} was retired in the signer set that the order names`);
}

/** The submitter's signature and those of the co-signers named, no other; as many persons as the queue asks for. */
function checkCosigners(order: Order, under: SignerSet, signedBy: readonly string[], sets: HeldSets): void {
  const named = [order.key, ...order.cosigners.map((cosigner) => cosigner.key)];
  if (!signedBy.includes(order.key))
    throw refuse('order.signature_bad', 'the order is not signed by the key that it names');
  const stranger = signedBy.find((key) => !named.includes(key));
  if (stranger !== undefined)
    throw refuse('order.signature_unexpected', `${stranger} signed, and the order does not name it`);
  const missing = named.find((key) => !signedBy.includes(key));
  if (missing !== undefined) throw refuse('order.cosigner_missing', `the signature of ${missing} is missing`);
  const persons = new Set([order.person]);
  for (const cosigner of order.cosigners) {
    const found = findKey(under, cosigner.key);
    if (!found || found.person.id !== cosigner.person)
      throw refuse('order.signer_unknown', `the co-signer ${cosigner.key} is not in the signer set`);
    checkKey(order, found.person, found.entry, sets);
    checkCosigner(order, found.person, found.entry);
    persons.add(cosigner.person);
  }
  const needed = under.queueRules.find((rule) => rule.queue === order.queue)?.persons ?? 1;
  if (persons.size < needed)
    throw refuse(
      'order.cosigner_missing',
      `the queue ${order.queue} asks for the signatures of ${needed} persons, this order has ${persons.size}`,
    );
}

/** A second signature is worth what its signer could have ordered alone, and nothing where a server can make it. */
function checkCosigner(order: Order, person: Person, entry: SignerKey): void {
  if (entry.custody !== 'own')
    throw refuse('grant.custody', `the co-signer ${person.name} signs with a key that a server can use`);
  const queues = person.grants.order?.queues ?? [];
  if (!queues.includes('*') && !queues.includes(order.queue))
    throw refuse('grant.queue', `the co-signer ${person.name} may not use the queue ${order.queue}`);
}
