// TypeScript 7 over the whole tree; it refuses a configuration that matches no file.
import { runTool } from './run-tool.ts';

runTool('typescript-7/bin/tsc', ['-p', 'tsconfig.json']);
