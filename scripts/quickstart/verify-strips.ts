import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ReceiptPredicate } from '@writ/contract';
import { hasSucceeded, verifyBundle } from '@writ/trust';
import { digestOf } from '@writ/trust/digest';
import type { Strip } from '../../examples/mandelbrot/splice-strips.ts';
import { BUNDLE, STRIP } from './fetch-strips.ts';

export interface VerifiedStrip extends Strip {
  /** Name of the agent that a signer admitted and that signed this strip. */
  readonly agent: string;
  readonly predicate: ReceiptPredicate;
}

/** What is known here, from before any server was asked. */
export interface Anchors {
  readonly cluster: string;
  /** Digest of the order that was signed here. */
  readonly order: string;
}

/** Reads the strips from disk. A strip counts when an admitted agent signed these very bytes for this order and this index. */
export function verifyStrips(
  folder: string,
  count: number,
  anchors: Anchors,
): { readonly strips: VerifiedStrip[]; readonly faults: string[] } {
  const strips: VerifiedStrip[] = [];
  const faults: string[] = [];
  for (let index = 0; index < count; index += 1) {
    try {
      strips.push(verifyStrip(join(folder, String(index)), index, anchors));
    } catch (error) {
      faults.push(`strip ${index}: ${(error as Error).message}`);
    }
  }
  return { strips, faults };
}

function verifyStrip(place: string, index: number, anchors: Anchors): VerifiedStrip {
  const bundle = verifyBundle(JSON.parse(readFileSync(join(place, BUNDLE), 'utf8')), [anchors.cluster]);
  const [receipt, second] = bundle.receipts;
  if (!bundle.isAnchored) throw new Error('its receipt is of another cluster');
  if (bundle.order.digest !== anchors.order) throw new Error('its receipt is about another order');
  if (!receipt || second) throw new Error(`there are ${bundle.receipts.length} receipts for it, not one`);
  const { predicate, agent } = receipt;
  if (predicate.index !== index) throw new Error(`its receipt is about strip ${predicate.index}`);
  if (!hasSucceeded(predicate)) throw new Error(`the task did not succeed: ${predicate.because}`);
  const signed = predicate.outputs.find((output) => output.path === STRIP);
  if (!signed) throw new Error(`its receipt names no ${STRIP}`);
  const ppm = readFileSync(join(place, STRIP));
  if (digestOf(ppm) !== signed.digest) throw new Error(`these are not the bytes that ${agent.name} signed`);
  return { index, ppm, agent: agent.name, predicate };
}
