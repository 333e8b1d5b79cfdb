// Checks the directions of imports (.dependency-cruiser.cjs), and what its rules cannot express: no circle between
// folders, and nothing that a worker runs reaches the stores of the control database. Fails when it saw fewer modules
// than there are source files: without a parser for TypeScript, dependency-cruiser sees none and reports success. An
// argument names another folder of the same layout, for the test that plants imports.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { findCommand, ROOT } from './setup.mjs';

const LAYERS = ['src', 'jobs', 'migrations'];
/** What a worker process runs. */
const WORKER = [/^src\/engine\/worker\//, /^jobs\/cell\.job\.ts$/, /^jobs\/processes\/worker\.ts$/];
const CONTROL = /^(src\/stores|migrations)\/control\//;

const root = resolve(process.argv[2] ?? ROOT);
const { modules, summary } = cruise();
const expected = LAYERS.flatMap((layer) => readdirSync(join(root, layer), { recursive: true })).filter((name) =>
  name.endsWith('.ts'),
).length;
const ours = modules.filter(({ source }) => /^(src|jobs|migrations)\/.*\.ts$/.test(source));
const imports = new Map(ours.map(({ source, dependencies }) => [source, dependencies.filter(isOurs)]));
const problems = [
  ...summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`),
  ...findFolderCircles(),
  ...findControlInWorkers(),
];
const edges = modules.reduce((sum, { dependencies }) => sum + dependencies.length, 0);
for (const problem of problems) console.error(problem);
console.log(`${ours.length} of ${expected} modules seen, ${edges} imports, ${problems.length} against the rules`);
process.exit(problems.length === 0 && ours.length >= expected && edges > 0 ? 0 : 1);

function cruise() {
  const layers = LAYERS.filter((layer) => existsSync(join(root, layer)));
  const args = ['--config', '.dependency-cruiser.cjs', '--output-type', 'json', ...layers];
  const command = [findCommand('dependency-cruiser'), ...args];
  const { stdout, stderr } = spawnSync(process.execPath, command, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (stdout.startsWith('{')) return JSON.parse(stdout);
  console.error(`dependency-cruiser did not run: ${stderr}`);
  process.exit(1);
}

function isOurs({ resolved }) {
  return /^(src|jobs|migrations)\//.test(resolved);
}

/** One line for each folder that can be reached from itself, with one import of the way. */
function findFolderCircles() {
  const folders = new Map();
  for (const [source, targets] of imports)
    for (const { resolved } of targets) {
      const [from, to] = [dirname(source), dirname(resolved)];
      if (from !== to) folders.set(from, (folders.get(from) ?? new Map()).set(to, `${source} → ${resolved}`));
    }
  return [...folders].flatMap(([folder, targets]) =>
    [...targets]
      .filter(([to]) => isReachable(folder, to, (at) => [...(folders.get(at)?.keys() ?? [])]))
      .map(([, example]) => `no-folder-circles: ${example}`),
  );
}

/** One line for each import by which something that a worker runs leads into control; types do not run. */
function findControlInWorkers() {
  const starts = [...imports.keys()].filter((source) => WORKER.some((pattern) => pattern.test(source)));
  const seen = new Set(starts);
  const queue = [...starts];
  const found = [];
  for (let at = queue.shift(); at !== undefined; at = queue.shift())
    for (const { resolved, module } of imports.get(at) ?? []) {
      if (isTypeOnly(at, module)) continue;
      if (CONTROL.test(resolved)) found.push(`worker-without-control: ${at} → ${resolved}`);
      else if (!seen.has(resolved)) {
        seen.add(resolved);
        queue.push(resolved);
      }
    }
  return found;
}

// the parser for TypeScript does not tell dependency-cruiser which imports are types
function isTypeOnly(source, module) {
  const statements = readFileSync(join(root, source), 'utf8').match(/^(import|export)\s[^;]*;/gmu) ?? [];
  const own = statements.filter((one) => one.includes(`'${module}'`));
  // none: it is imported inside a function, and runs
  return own.length > 0 && own.every((one) => /^\w+ type /u.test(one));
}

function isReachable(goal, from, next) {
  const seen = new Set([from]);
  const queue = [from];
  for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
    if (at === goal) return true;
    for (const to of next(at)) if (!seen.has(to)) queue.push(to) && seen.add(to);
  }
  return false;
}
