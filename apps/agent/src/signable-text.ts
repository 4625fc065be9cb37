import { writePayload } from '@writ/contract';

/** For the words of a receipt: as they are where that can be signed, otherwise in ASCII; at most 1000 characters. */
export function signableText(text: string): string {
  const short = text.slice(0, 1000);
  try {
    if (short !== '') writePayload(short);
    return short;
  } catch {
    return asciiText(text).slice(0, 1000);
  }
}

/** Every other character as JSON would escape it. */
export const asciiText = (text: string): string =>
  text.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
