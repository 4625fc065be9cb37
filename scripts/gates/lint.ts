// oxlint, with the rules that need types: no promise is lost, no switch forgets a case.
import { runTool } from './run-tool.ts';

runTool('oxlint/bin/oxlint', ['--type-aware', '--deny-warnings', '.'], { filesRead: /on (\d+) files? with/ });
