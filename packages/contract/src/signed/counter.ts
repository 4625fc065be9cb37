import { type Static, Type } from '../type.ts';
import { LabelName } from '../names.ts';
import { shape, whole } from '../shape.ts';

/** So much of something that a machine's owner counts: licences, devices, bandwidth. */
export const Counter = shape({ name: LabelName, amount: whole(1, 1_000_000) });
/** So much of something that a machine's owner counts. */
export type Counter = Static<typeof Counter>;
export const Counters = Type.Array(Counter, { maxItems: 16 });
