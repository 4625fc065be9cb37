import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';

/** Files that are secret as a whole, and folders of such files. */
export interface SecretPlaces {
  readonly configFolder: string;
  readonly state: string;
}

const MOST_BYTES = 64 * 1024;
const LEAST = 16;

/** Every secret that this account can read, so that it is found where it does not belong. They stay in this program. */
export async function readSecrets({ configFolder, state }: SecretPlaces): Promise<string[]> {
  const places = [
    path.join(configFolder, 'keys'),
    path.join(configFolder, 'tokens'),
    path.join(state, 'agent', 'identity.key'),
    path.join(state, 'agent', 'joining.json'),
    path.join(state, 'agent', 'tls'),
    path.join(state, 'server', 'authority'),
    path.join(state, 'server', 'authority-secret'),
    path.join(state, 'server', 'database-url'),
    path.join(state, 'database-url'),
  ];
  const texts = (await Promise.all(places.map(readAll))).flat();
  const addresses = await readAll(path.join(configFolder, 'contexts.json'));
  return [...texts.flatMap(secretsIn), ...[...texts, ...addresses].flatMap(passwordsIn)];
}

/** Of addresses: `scheme://user:password@host` and `?password=`, as they stand there and as they are meant. */
function passwordsIn(text: string): string[] {
  const found = [...text.matchAll(/:\/\/[^\s/@:"]*:([^\s/@"]+)@|[?&]password=([^\s&#"]+)/g)];
  return found.flatMap(([, first, second]) => {
    const password = first ?? second ?? '';
    return [password, decoded(password)];
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function readAll(place: string): Promise<string[]> {
  try {
    const facts = await stat(place);
    if (!facts.isDirectory()) return facts.size > MOST_BYTES ? [] : [await readFile(place, 'utf8')];
    const names = await readdir(place);
    return (await Promise.all(names.map((name) => readAll(path.join(place, name))))).flat();
  } catch {
    return []; // what cannot be read here cannot be written here either
  }
}

/** The text, its lines, and the words in it if it is JSON. */
function secretsIn(text: string): string[] {
  const words: string[] = [text, ...text.split('\n')];
  try {
    const collect = (value: unknown): void => {
      if (typeof value === 'string') words.push(value, ...value.split('\n'));
      else if (typeof value === 'object' && value !== null) Object.values(value).forEach(collect);
    };
    collect(JSON.parse(text));
  } catch {
    // not JSON
  }
  // What everybody may know stands beside the secrets.
  const isOpen = (word: string): boolean =>
    /^(ed25519:|p256:|sha256:|[a-z2-7]{26}$|[a-z2-7]{52}$)/.test(word);
  return words.map((word) => word.trim()).filter((word) => word.length >= LEAST && !isOpen(word));
}
