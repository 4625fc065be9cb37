import { check, Name } from '@writ/contract';

const nameCheck = check(Name);

/** Whether a machine, a context or a queue could be called that. */
export const isName = (text: string): boolean => nameCheck.is(text);
