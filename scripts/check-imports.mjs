// Checks the directions of imports between the rooms (.dependency-cruiser.cjs). Fails when it saw fewer modules than
// there are source files: without a parser for TypeScript, dependency-cruiser sees none and reports success.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { findCommand, ROOT } from './setup.mjs';

const ROOMS = ['src', 'jobs', 'migrations'].filter((room) => existsSync(join(ROOT, room)));
const expected = ROOMS.flatMap((room) => readdirSync(join(ROOT, room), { recursive: true })).filter((name) =>
  name.endsWith('.ts'),
).length;

const cruise = [
  findCommand('dependency-cruiser'),
  '--config',
  '.dependency-cruiser.cjs',
  '--output-type',
  'json',
  ...ROOMS,
];
const { stdout, stderr } = spawnSync(process.execPath, cruise, { cwd: ROOT, encoding: 'utf8', maxBuffer: 2 ** 28 });
if (!stdout.startsWith('{')) {
  console.error(`dependency-cruiser did not run: ${stderr}`);
  process.exit(1);
}
const { modules, summary } = JSON.parse(stdout);
const seen = modules.filter(({ source }) => /^(src|jobs|migrations)\/.*\.ts$/.test(source)).length;
const edges = modules.reduce((sum, { dependencies }) => sum + dependencies.length, 0);
for (const { rule, from, to } of summary.violations) console.error(`${rule.severity} ${rule.name}: ${from} → ${to}`);
console.log(`${seen} of ${expected} modules seen, ${edges} imports, ${summary.error} against the rules`);
process.exit(summary.error === 0 && seen >= expected && edges > 0 ? 0 : 1);
