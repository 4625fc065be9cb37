export const OUTPUT = 'said.txt';

/**
 * Tells the effect log that it began and waits until that is heard, writes what it is to its output and into a file, works
 * for a while, and tells that it came to its end. Descriptor 3 stays open in each of its processes.
 */
const script = `exec 3<>/dev/tcp/127.0.0.1/$1 && echo "$WRIT_JOB $WRIT_INDEX $WRIT_ATTEMPT $UID" >&3 && read -r <&3 && echo "$WRIT_JOB $WRIT_INDEX $WRIT_ATTEMPT" | tee ${OUTPUT} && sleep "$2e-3" && echo done >&3`;

export const taskLine = (port: number, milliseconds: number): string[] => [
  '/bin/bash',
  '-c',
  script,
  'campaign',
  String(port),
  String(milliseconds),
];

/** What an attempt writes. */
export const saidBy = (job: string, index: number, attempt: number): string => `${job} ${index} ${attempt}\n`;
