// knip: no file, export or dependency that nothing uses, none used that is not declared. An entry that is not there is a
// fault too: knip would read nothing of that package and be content.
import { runTool } from './run-tool.ts';

runTool('knip/bin/knip.js', ['--no-progress'], { faults: /entry file not found/ });
