export interface Wish {
  /** Leave server and agents running. */
  readonly keep: boolean;
  /** Run the tasks without a sandbox. */
  readonly bare: boolean;
  /** Stop what an earlier `--keep` left running in this folder. */
  readonly stop: string | undefined;
}

export const USAGE = `npm run quickstart [-- --keep] [-- --bare] [-- --stop FOLDER]
  --keep         leave the server and the agents running, and say how to stop them
  --bare         run the tasks without a sandbox, where none is to be had
  --stop FOLDER  stop what an earlier --keep left running`;

/** @returns a text that says what is wrong. */
export function readArguments(given: readonly string[]): Wish | string {
  let keep = false;
  let bare = false;
  let stop: string | undefined;
  const rest = [...given];
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    if (argument === '--keep') keep = true;
    else if (argument === '--bare') bare = true;
    else if (argument === '--stop') {
      stop = rest.shift();
      if (stop === undefined) return `--stop needs the folder that --keep named\n${USAGE}`;
    } else return `${argument} is not known\n${USAGE}`;
  }
  return { keep, bare, stop };
}
