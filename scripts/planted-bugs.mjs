// `npm run plants`: plants bugs, one after the other, in a copy of the project, and says which the named tests notice.
// A bug is a substitution (scripts/plants): nothing in the product knows of it. --help lists the arguments.
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from './setup.mjs';

const HELP = `npm run plants -- [--list | --check] [--only NAME …]
  --list         names each bug, its file and the tests that are to notice it
  --check        only says which bugs no longer apply to the text of their file
  --only NAME    only bugs whose name begins with NAME; may be given several times
  --plants FILE  another list of bugs than scripts/plants/index.mjs`;

/** What tests need; node_modules is linked. */
const COPIED = ['.ci', 'docs', 'jobs', 'migrations', 'scripts', 'src', 'test', 'README.md', 'SECURITY.md'];
const COPIED_TOO = ['knexfile.ts', 'package.json', 'tsconfig.json', 'tsconfig.build.json', 'vitest.config.ts'];
/** For tests of decisions: to start a server would take longer than they do. */
const SERVERLESS = 'vitest.serverless.config.ts';
const SERVERLESS_TEXT = `import config from './vitest.config.js';
export default { ...config, test: { ...config.test, globalSetup: [] } };
`;
/** What databases of tests are copies of is made with these: it is made anew. */
const OF_TEMPLATES = /^migrations\/|\/setup\/|\/roles\.ts$/u;

const { values } = parseArgs({
  options: {
    list: { type: 'boolean' },
    check: { type: 'boolean' },
    help: { type: 'boolean' },
    only: { type: 'string', multiple: true },
    plants: { type: 'string', default: join(ROOT, 'scripts', 'plants', 'index.mjs') },
  },
});
const { PLANTS } = await import(resolve(values.plants));
process.exit(await main());

async function main() {
  if (values.help) return say(HELP, 0);
  const wanted = PLANTS.filter(({ name }) => values.only?.some((start) => name.startsWith(start)) ?? true);
  if (wanted.length === 0) return say(`No bug has a name that begins with ${values.only?.join(' or ')}.`, 1);
  if (values.list) return say(wanted.map(({ name, file, tests }) => [name, file, ...tests].join('  ')).join('\n'), 0);
  const problems = wanted.map((plant) => ({ plant, problem: findProblem(plant) })).filter(({ problem }) => problem);
  for (const { plant, problem } of problems) console.log(`no longer applies  ${plant.name}: ${problem}`);
  if (values.check) return say(`${wanted.length} bugs, ${problems.length} problems`, problems.length);
  if (!existsSync(join(ROOT, 'node_modules'))) return say('Run npm start first: it installs what tests need.', 1);
  const results = await plantAll(wanted.filter((plant) => !problems.some((one) => one.plant === plant)));
  const counts = [...new Set(results)].map((one) => `${results.filter((result) => result === one).length} ${one}`);
  const failed = results.filter((result) => result !== 'caught').length + problems.length;
  return say([...counts, `${problems.length} no longer apply`].join(', '), failed);
}

function say(text, problems) {
  console.log(text);
  return problems === 0 ? 0 : 1;
}

/** Why a bug cannot be planted; undefined: it can. */
function findProblem({ name, file, find, put, tests }) {
  const path = join(ROOT, file);
  if (!existsSync(path)) return `there is no ${file}`;
  const absent = tests.find((test) => !existsSync(join(ROOT, test)));
  if (absent !== undefined) return `there is no ${absent}`;
  if (tests.length === 0 || find === put) return 'nothing would be noticed';
  if (PLANTS.filter((plant) => plant.name === name).length > 1) return 'another bug has its name';
  const times = readFileSync(path, 'utf8').split(find).length - 1;
  return times === 1 ? undefined : `its text is in ${file} ${times} times`;
}

async function plantAll(plants) {
  const copy = mkdtempSync(join(tmpdir(), 'credit-rollout-plants-'));
  const runners = new Map();
  const openRunner = async (tests) => {
    const config = tests.every((test) => test.startsWith('test/domain')) ? SERVERLESS : 'vitest.config.ts';
    if (!runners.has(config)) runners.set(config, await createRunner(copy, config));
    return runners.get(config);
  };
  try {
    for (const name of [...COPIED, ...COPIED_TOO]) cpSync(join(ROOT, name), join(copy, name), { recursive: true });
    writeFileSync(join(copy, SERVERLESS), SERVERLESS_TEXT);
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    // a test that fails by itself notices nothing
    for (const serverless of [true, false]) {
      const tests = plants.flatMap((plant) => plant.tests);
      const own = [...new Set(tests)].filter((test) => test.startsWith('test/domain') === serverless);
      const { result, noticed, seconds } = own.length === 0 ? {} : await (await openRunner(own)).run(own);
      if (result !== undefined)
        console.log(`without a bug: ${result === 'missed' ? 'pass' : result}  ${seconds} s  ${noticed ?? ''}`);
      if (result !== undefined && result !== 'missed') return [`test fails without a bug`];
    }
    const results = [];
    for (const plant of plants) {
      const { result, seconds, noticed = '' } = await plantOne(copy, plant, await openRunner(plant.tests));
      console.log(`${result}  ${plant.name}  ${seconds} s  ${noticed}`);
      results.push(result);
    }
    return results;
  } finally {
    for (const runner of runners.values()) await runner.close();
    rmSync(copy, { recursive: true, force: true });
  }
}

async function plantOne(copy, { file, find, put, tests, only }, runner) {
  const path = join(copy, file);
  const text = readFileSync(path, 'utf8');
  const change = async (to) => {
    writeFileSync(path, to);
    await runner.forget(path);
    if (OF_TEMPLATES.test(file)) await runner.dropTemplates();
  };
  // a function, so that a `$` of the text is a `$`
  await change(text.replace(find, () => put));
  try {
    return await runner.run(tests, only);
  } finally {
    await change(text);
  }
}

/** One vitest with one server for many runs: to start both anew would take longer than most tests do. */
async function createRunner(copy, config) {
  const { createVitest } = await import('vitest/node');
  const options = { root: copy, config: join(copy, config), watch: false, reporters: [{}], bail: 1, maxWorkers: 2 };
  const vitest = await createVitest('test', options);
  return {
    forget: (path) => vitest.invalidateFile(path),
    dropTemplates: () => dropTemplates(vitest.getRootProject().getProvidedContext().postgresAdminUrl),
    run: async (tests, only) => {
      if (only === undefined) vitest.resetGlobalTestNamePattern();
      else vitest.setGlobalTestNamePattern(only);
      const began = process.hrtime.bigint();
      const specifications = await vitest.globTestSpecifications([...tests]);
      // else the failures of the bug before count towards `bail`
      vitest.state.filesMap.clear();
      const { testModules } = await vitest.rerunTestSpecifications(specifications);
      const seconds = Math.round(Number(process.hrtime.bigint() - began) / 1e9);
      return { ...judge(testModules), seconds };
    },
    close: () => vitest.close(),
  };
}

/**
 * `caught`: a test failed, or what it needs before; `missed`: all pass. `no test ran`: the bug is none that a test could
 * notice, such as a wrong syntax, or no test has that name.
 */
function judge(modules) {
  const testsOf = (module) => [...module.children.allTests()];
  const failed = modules.flatMap(testsOf).find((test) => test.result().state === 'failed');
  if (failed !== undefined) return { result: 'caught', noticed: failed.fullName };
  const broken = modules.find((module) => !module.ok());
  const noticed = broken && [...broken.errors(), ...[...broken.children.allSuites()].flatMap((one) => one.errors())][0];
  if (broken !== undefined)
    return { result: testsOf(broken).length > 0 ? 'caught' : 'no test ran', noticed: noticed?.message };
  const passed = modules.flatMap(testsOf).some((test) => test.result().state === 'passed');
  return { result: passed ? 'missed' : 'no test ran' };
}

async function dropTemplates(url) {
  if (url === undefined) return;
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query(`select datname from pg_database where datname like 'template\\_%'`);
  for (const { datname } of rows) await client.query(`drop database ${pg.escapeIdentifier(datname)}`);
  await client.end();
}
