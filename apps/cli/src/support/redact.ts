/** What stands where something was taken out. */
const REMOVED = '[removed]';
/** Shorter words are found in ordinary text. */
const LEAST_SECRET = 6;

/** What a secret looks like, wherever it comes from. */
const FORMS: ReadonlyArray<readonly [RegExp, string]> = [
  [/-----BEGIN [^-]*-----[\s\S]*?(?:-----END [^-]*-----|$)/g, REMOVED],
  [/\bwrit_[A-Za-z0-9_-]{8,}/g, `writ_${REMOVED}`],
  [/\bwrit1-[A-Za-z0-9]+(?:@[^\s"'\\]*)?/g, `writ1-${REMOVED}`],
  [/(:\/\/)[^\s/@"'\\]*@/g, `$1${REMOVED}@`],
  [/\b(bearer|basic)\s+[^\s"'\\,;]+/gi, `$1 ${REMOVED}`],
  [
    /\b([\w-]*(?:password|passwd|secret|token|seed|api[_-]?key|private[_-]?key|cookie)[\w-]*)(\\?["']?\s*[:=]\s*)(\\?["'])?[^\s"'\\,;&}]+/gi,
    `$1$2$3${REMOVED}`,
  ],
];

/** As long as a key in base64; digests and public keys say what they are, and stay. */
const LONG = /(sha256:|ed25519:|p256:|[A-Za-z0-9+_=-])?[A-Za-z0-9+_=-]{39,}/g;
const CLUSTER_ID = /^[a-z2-7]{52}$/;

/**
 * Takes secrets out of text that is meant for other people: those of this machine, word for word and in the forms that
 * bytes are written in, and whatever looks like one.
 */
export function makeRedactor(secrets: readonly string[]): (text: string) => string {
  const known = [...new Set(secrets.flatMap(writtenForms))]
    .filter((form) => form.length >= LEAST_SECRET)
    .toSorted((a, b) => b.length - a.length);
  return (text) => {
    let left = text;
    for (const secret of known) left = left.replaceAll(secret, REMOVED);
    for (const [form, instead] of FORMS) left = left.replace(form, instead);
    return left.replace(LONG, (found, prefix: string | undefined) =>
      prefix?.endsWith(':') === true || CLUSTER_ID.test(found) ? found : REMOVED,
    );
  };
}

/** A secret as it stands, inside JSON, and its bytes in base64, base64url and hexadecimal. */
function writtenForms(secret: string): string[] {
  const plain = secret.trim();
  const forms = [plain, JSON.stringify(plain).slice(1, -1)];
  const bytes = /^[0-9a-f]+$/i.test(plain)
    ? Buffer.from(plain, 'hex')
    : /^[A-Za-z0-9+/_-]+=*$/.test(plain)
      ? Buffer.from(plain, 'base64')
      : undefined;
  if (bytes !== undefined && bytes.length >= 16)
    forms.push(
      bytes.toString('base64').replace(/=+$/, ''),
      bytes.toString('base64url'),
      bytes.toString('hex'),
    );
  return forms;
}
