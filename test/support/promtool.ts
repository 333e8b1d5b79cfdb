// promtool reads the alert rules, where it is installed; else a reported skip.
import { spawnSync } from 'node:child_process';
import { reportSkipped, requiresAll } from './skipped-suites.js';

/** For `describe.skipIf(!promtoolAvailable())`: false, and reported, where it is not installed. */
export function promtoolAvailable(): boolean {
  if (requiresAll() || spawnSync('promtool', ['--version']).status === 0) return true;
  reportSkipped('Alert rules: promtool is not installed (apt-get install prometheus).');
  return false;
}
