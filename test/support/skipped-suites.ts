// Prints at the end of a test run which suites were skipped and why. Under CREDIT_ROLLOUT_REQUIRE_ALL=1 nothing is
// skipped.
import { appendFileSync } from 'node:fs';
import { readEnvironment } from '../../src/platform/environment.js';

/** True when a suite that lacks something must fail instead of being skipped. */
export function requiresAll(): boolean {
  return readEnvironment('CREDIT_ROLLOUT_REQUIRE_ALL') === '1';
}

/** Hands a reason to scripts/test.mjs, which prints each one once. */
export function reportSkipped(reason: string): void {
  const report = readEnvironment('CREDIT_ROLLOUT_SKIP_REPORT');
  if (report !== undefined) appendFileSync(report, `${reason}\n`);
}

/** For `describe.skipIf(!rootAvailable())`: false, and reported, where no other user can be tried. */
export function rootAvailable(): boolean {
  if ((process.platform === 'linux' && process.getuid?.() === 0) || requiresAll()) return true;
  reportSkipped('Suites about other users of the machine: these tests run on Linux as root only.');
  return false;
}
