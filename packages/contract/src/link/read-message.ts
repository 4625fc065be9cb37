import type { Check } from '../shape.ts';

/**
 * One line of a link, parsed. A message has one spelling, as signed payloads have: what JSON.stringify makes of it. So
 * no key stands twice, at the price of the platform's own writer; its depth is bounded by its shape.
 */
export function readMessage<T>(
  line: string,
  check: Check<T>,
): { readonly message: T } | { readonly fault: string } {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { fault: 'A line is not JSON.' };
  }
  if (!check.is(value)) {
    const [fault] = check.faults(value);
    return { fault: `A message does not have its shape: ${fault?.pointer ?? ''} ${fault?.detail ?? ''}` };
  }
  if (JSON.stringify(value) !== line) return { fault: 'A message is not in the one spelling of its JSON.' };
  return { message: value };
}
