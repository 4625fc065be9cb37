/**
 * Text that came from elsewhere, made harmless for a terminal: control characters, escape sequences, marks that reverse
 * the direction of writing and broken letters are shown as `\u{…}`.
 */
export function printable(text: string): string {
  return text.toWellFormed().replaceAll(UNSEEN, (letter) => `\\u{${letter.codePointAt(0)?.toString(16)}}`);
}

/** Control, format (which holds the marks of direction), line and paragraph separators. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A command as a shell would take it. */
export function shellWords(words: readonly string[]): string {
  return printable(
    words
      .map((word) => (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
      .join(' '),
  );
}
