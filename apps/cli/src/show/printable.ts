/**
 * Text that came from elsewhere, made harmless for a terminal: control characters, escape sequences, marks that reverse
 * the direction of writing and broken letters are shown as `\u{…}`.
 */
export function printable(text: string): string {
  return (
    text
      .toWellFormed()
      // oxlint-disable-next-line no-control-regex -- control characters are what this is about
      .replace(
        /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu,
        (letter) => `\\u{${letter.codePointAt(0)?.toString(16)}}`,
      )
  );
}

/** A command as a shell would take it. */
export function shellWords(words: readonly string[]): string {
  return printable(
    words
      .map((word) => (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
      .join(' '),
  );
}
