// Every path, link and npm script that a document names is there.
import process from 'node:process';
import { checkPaths } from './check-paths.ts';

const { documents, named, broken } = checkPaths(process.cwd());
for (const { where, names } of broken) process.stdout.write(`${where}: there is no ${names}\n`);
process.stdout.write(`${broken.length} of ${named} names in ${documents} documents lead nowhere\n`);
if (broken.length > 0 || named === 0) process.exitCode = 1;
