// Every file is written as oxfmt writes it.
import { runTool } from './run-tool.ts';

runTool('oxfmt/bin/oxfmt', ['--check', '.'], { filesRead: /on (\d+) files/ });
