import type { OpenedOrder } from '@writ/trust';
import type { OrderKey } from './replay/open-replay.ts';

/** By what the record of starts knows an order. */
export const orderKeyOf = ({ order, digest }: Pick<OpenedOrder, 'order' | 'digest'>): OrderKey => ({
  digest,
  person: order.person,
  job: order.job,
  notAfter: order.notAfter,
});
