// `npm run check`: everything that must hold before a commit. Runs all checks, then prints which failed.
import { join } from 'node:path';
import { ensureReady, findCommand, ROOT, run } from './setup.mjs';

const CHECKS = [
  { name: 'types', command: () => [findCommand('typescript', 'tsc'), '-p', 'tsconfig.json', '--noEmit'] },
  { name: 'lint', command: () => [findCommand('@biomejs/biome', 'biome'), 'check', '.'] },
  { name: 'imports', command: () => [join(ROOT, 'scripts', 'check-imports.mjs')] },
  { name: 'unused', command: () => [findCommand('knip')] },
  { name: 'lock', command: () => [join(ROOT, 'scripts', 'check-lock.mjs')] },
  { name: 'tests', command: () => [join(ROOT, 'scripts', 'test.mjs')] },
];

await ensureReady();
// names to run, such as `npm run check -- types lint`; none: all
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !CHECKS.some((check) => check.name === name));
if (unknown.length > 0) {
  console.error(`No check is called ${unknown.join(', ')}: there are ${CHECKS.map(({ name }) => name).join(', ')}.`);
  process.exit(1);
}
const failed = [];
for (const { name, command } of CHECKS.filter((check) => wanted.length === 0 || wanted.includes(check.name))) {
  console.log(`\n== ${name}`);
  const code = await run(process.execPath, command());
  if (code !== 0) failed.push(name);
  console.log(`== ${name}: ${code === 0 ? 'ok' : 'failed'}`);
}
console.log(failed.length === 0 ? '\nAll checks passed.' : `\nFailed: ${failed.join(', ')}`);
process.exit(failed.length === 0 ? 0 : 1);
