// `npm test`: set-up, then every suite; what was skipped is printed at the end, with the reason. Arguments go to
// vitest.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureReady, findCommand, ROOT, run } from './setup.mjs';

await ensureReady();
const folder = mkdtempSync(join(tmpdir(), 'credit-rollout-npm-test-'));
const report = join(folder, 'skipped');
writeFileSync(report, '');
const args = [findCommand('vitest'), 'run', '--root', ROOT, ...process.argv.slice(2)];
const code = await run(process.execPath, args, { ...process.env, CREDIT_ROLLOUT_SKIP_REPORT: report });
const reasons = [...new Set(readFileSync(report, 'utf8').split('\n').filter(Boolean))];
rmSync(folder, { recursive: true });
if (reasons.length > 0) console.log(`Skipped suites:\n${reasons.map((reason) => `  - ${reason}`).join('\n')}`);
process.exit(code);
