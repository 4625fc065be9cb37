import type { Surroundings } from '../surroundings.ts';

/** Programs get a place to look for tools, and nothing else of this environment. */
export const programEnvironment = ({ settings }: Surroundings): Readonly<Record<string, string>> => ({
  PATH: settings.toolPath,
  HOME: settings.home,
  USER: settings.user,
  LANG: 'C.UTF-8',
});
