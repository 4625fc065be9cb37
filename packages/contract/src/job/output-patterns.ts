/**
 * What may be asked to be brought back: `*`, `?`, `[a-z]` and `[!a-z]` within one name, `**` over folders, `{a,b}` for
 * either. None of the first four stands for the dot that a name begins with. Matched without trying again what failed,
 * because whoever chooses patterns and names may mean harm to whoever compares them.
 */
export interface OutputPatterns {
  /** Undefined when comparing all of its paths has taken too long; then it does not go on. */
  matches(path: string): boolean | undefined;
}

type Token = string | typeof STAR | ((char: string) => boolean);
type Part = readonly Token[] | typeof OVER_FOLDERS;

const STAR = Symbol('*');
const OVER_FOLDERS = Symbol('**');
const MOST_ALTERNATIVES = 64;
const MOST_CHARACTERS = 16_384;
const MOST_STEPS = 100_000_000;

/** `fault` says in words which pattern cannot be used, and why. */
export function readOutputPatterns(
  patterns: readonly string[],
  mostSteps: number = MOST_STEPS,
): OutputPatterns | { readonly fault: string } {
  const all: Part[][] = [];
  let characters = 0;
  for (const pattern of patterns) {
    const fault = faultOf(pattern);
    if (fault !== undefined)
      return { fault: `the pattern ${JSON.stringify(pattern.slice(0, 200))} ${fault}` };
    for (const one of expand(pattern)) {
      characters += one.length;
      all.push(readParts(one));
    }
  }
  if (characters > MOST_CHARACTERS)
    return { fault: `the patterns of outputs have more than ${MOST_CHARACTERS} characters together` };
  let left = mostSteps;
  const fits: Fits = (part, name) => {
    left -= 1;
    const steps = matchName(part, name);
    left -= Math.abs(steps);
    return steps > 0;
  };
  return {
    matches(path) {
      const names = path.split('/').map((name) => Array.from(name));
      for (const parts of all) {
        if (left <= 0) return undefined;
        if (matchParts(parts, names, fits)) return true;
      }
      return left <= 0 ? undefined : false;
    },
  };
}

function faultOf(pattern: string): string | undefined {
  if (/[?*+@!]\(/.test(pattern))
    return 'has a group such as +(a): write {a,b}, or [(] for the bracket itself';
  if (pattern.includes('\\')) return 'has a backslash: write [*] for the character itself';
  if (/\{[^{},]*\.\.[^{},]*\}/.test(pattern)) return 'has a series such as {1..3}: write {1,2,3}';
  if (/\[[:.=]/.test(pattern)) return 'has a class such as [[:alpha:]]: write [a-zA-Z]';
  return expand(pattern).length > MOST_ALTERNATIVES
    ? `stands for more than ${MOST_ALTERNATIVES} patterns`
    : undefined;
}

/** Writes `{a,b}` out. Stops when there are too many. */
function expand(pattern: string): readonly string[] {
  const done: string[] = [];
  const open = [pattern];
  while (open.length > 0 && open.length + done.length <= MOST_ALTERNATIVES) {
    const text = open.pop() ?? '';
    const found = findAlternatives(text);
    if (!found) done.push(text);
    else for (const one of found.of) open.push(text.slice(0, found.from) + one + text.slice(found.to));
  }
  return [...done, ...open];
}

/** The first bracket that has a comma of its own and is closed; others stand for themselves. */
function findAlternatives(text: string) {
  const open: { readonly from: number; readonly commas: number[] }[] = [];
  let first: { readonly from: number; readonly to: number; readonly of: readonly string[] } | undefined;
  for (let at = 0; at < text.length; at += 1) {
    const inner = open.at(-1);
    if (text[at] === '{') open.push({ from: at, commas: [] });
    else if (text[at] === ',') inner?.commas.push(at);
    else if (text[at] === '}' && inner) {
      open.pop();
      if (inner.commas.length === 0 || (first && first.from < inner.from)) continue;
      const ends = [...inner.commas, at];
      const of = ends.map((end, n) => text.slice((n === 0 ? inner.from : (ends[n - 1] ?? 0)) + 1, end));
      first = { from: inner.from, to: at + 1, of };
    }
  }
  return first;
}

function readParts(pattern: string): Part[] {
  const parts: Part[] = [];
  for (const text of pattern.split('/')) {
    if (text !== '**') parts.push(readTokens(Array.from(text)));
    else if (parts.at(-1) !== OVER_FOLDERS) parts.push(OVER_FOLDERS);
  }
  return parts;
}

function readTokens(text: readonly string[]): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at] ?? '';
    const set = char === '[' ? readSet(text, at) : undefined;
    if (set) {
      tokens.push(set.token);
      at = set.end;
    } else if (char === '?') tokens.push(() => true);
    else if (char !== '*') tokens.push(char);
    else if (tokens.at(-1) !== STAR) tokens.push(STAR);
  }
  return tokens;
}

/** From `[` to its `]`, which stands for itself when it comes first; undefined when there is none. */
function readSet(text: readonly string[], from: number): { token: Token; end: number } | undefined {
  const isNot = text[from + 1] === '!' || text[from + 1] === '^';
  const start = from + (isNot ? 2 : 1);
  const end = text.indexOf(']', start + 1);
  if (end < 0) return undefined;
  const single = new Set<string>();
  const ranges: (readonly [number, number])[] = [];
  for (let at = start; at < end; at += 1) {
    const char = text[at] ?? '';
    if (text[at + 1] === '-' && at + 2 < end) {
      ranges.push([codeOf(char), codeOf(text[at + 2] ?? '')]);
      at += 2;
    } else single.add(char);
  }
  const [only] = single;
  if (!isNot && ranges.length === 0 && single.size === 1 && only !== undefined) return { token: only, end };
  const isIn = (char: string): boolean =>
    single.has(char) || ranges.some(([low, high]) => low <= codeOf(char) && codeOf(char) <= high);
  return { token: (char) => isIn(char) !== isNot, end };
}

const codeOf = (char: string): number => char.codePointAt(0) ?? 0;

type Name = readonly string[];
type Fits = (part: readonly Token[], name: Name) => boolean;

/** Only the last `**` has to take more when something does not fit: an earlier one that took more would not help. */
function matchParts(parts: readonly Part[], names: readonly Name[], fits: Fits): boolean {
  let part = 0;
  let name = 0;
  let over = -1;
  let taken = 0;
  while (name < names.length) {
    const wanted = parts[part];
    if (wanted === OVER_FOLDERS) {
      over = part;
      part += 1;
      taken = name;
      // At the end it stands for one name at least.
      if (part === parts.length) return !names.slice(name).some(isHidden);
    } else if (wanted && fits(wanted, names[name] ?? [])) {
      part += 1;
      name += 1;
    } else {
      if (over < 0 || isHidden(names[taken] ?? [])) return false;
      taken += 1;
      name = taken;
      part = over + 1;
    }
  }
  return part === parts.length;
}

const isHidden = (name: Name): boolean => name[0] === '.';

/** How many steps it took; negative when it does not match. */
function matchName(tokens: readonly Token[], name: Name): number {
  if (tokens.length === 0 || (isHidden(name) && tokens[0] !== '.')) return -1;
  let steps = 1;
  let token = 0;
  let char = 0;
  let star = -1;
  let taken = 0;
  while (char < name.length) {
    steps += 1;
    const wanted = tokens[token];
    const is = name[char] ?? '';
    if (wanted === STAR) {
      star = token;
      token += 1;
      taken = char;
    } else if (wanted === is || (typeof wanted === 'function' && wanted(is))) {
      token += 1;
      char += 1;
    } else {
      if (star < 0) return -steps;
      taken += 1;
      char = taken;
      token = star + 1;
    }
  }
  while (tokens[token] === STAR) token += 1;
  return token === tokens.length ? steps : -steps;
}
