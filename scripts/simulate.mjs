// `npm run simulate`: the whole engine on a model of its databases, in schedules from a seed that is printed, on every
// core, for as long or as many as asked. Options: --seconds N (60), --schedules N instead of a time, --seed N,
// --happenings N in a schedule at most, --replay SCRIPT as a failure prints it, --plants (every planted fault must be
// found), --plant NAME (one of them, with its shortest schedule), --lengths (what finds them with the fewest steps).
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { tsImport } from 'tsx/esm/api';
import { ROOT } from './setup.mjs';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seconds: { type: 'string', default: '60' },
    schedules: { type: 'string' },
    happenings: { type: 'string' },
    replay: { type: 'string' },
    plant: { type: 'string' },
    plants: { type: 'boolean', default: false },
    lengths: { type: 'boolean', default: false },
  },
});
/** A fault that is planted is found within so many. */
const PLANTED = 6_000;
/** In so many schedules everything that they are for has come about. */
const LONG_RUN = 10_000;
const MOST = 2 ** 30;
/** Schedules of one seed: so that a long run has the same ones on every machine. */
const PART = 1_000;
/** For `--lengths`: happenings at most, and steps after which a search gives up. */
const LENGTHS = [4, 8, 16, 32, 64];
const SEEDS = [1, 2, 3];
const SEARCHED = 3_000_000;
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const most = values.happenings === undefined ? undefined : Number(values.happenings);
const threads = availableParallelism();

const folder = mkdtempSync(join(tmpdir(), 'credit-rollout-simulate-'));
const bundle = join(folder, 'simulate.mjs');
const { bundleEngine } = await tsImport('../test/simulation/engine/bundle.ts', import.meta.url);
await bundleEngine(join(ROOT, 'test', 'simulation', 'fixtures', 'simulate.ts'), bundle);

const ask = (question) =>
  new Promise((resolve, reject) => {
    const limits = { maxYoungGenerationSizeMb: 128 };
    const worker = new Worker(bundle, { workerData: { simulates: true, ...question }, resourceLimits: limits });
    worker.once('message', resolve);
    worker.once('error', reject);
  });

/** Each of them by one thread at a time. */
async function onEveryThread(questions, answer) {
  const left = [...questions];
  const work = async () => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) answer(one, await ask(one));
  };
  await Promise.all(Array.from({ length: threads }, work));
}

const show = ({ script, broken }) => `${broken.join('\n')}\n  npm run simulate -- --replay "${script}"`;
const seconds = (since) => `${((performance.now() - since) / 1_000).toFixed(1)} s`;
const number = (value) => Math.round(value).toLocaleString('en-US');

async function findPlants(names) {
  const since = performance.now();
  const shortens = values.plant !== undefined;
  const caught = [];
  const questions = names.map((plant) => ({ plant, seed: 1, schedules: PLANTED, shortens, most }));
  await onEveryThread(questions, ({ plant }, { script, schedules, broken }) => {
    const how = script === null ? `NOT CAUGHT in ${schedules}` : `caught after ${schedules}: ${broken[0]}`;
    console.log(`planted: ${plant}: ${how}${shortens && script !== null ? `\n  ${script}` : ''}`);
    if (script !== null) caught.push(plant);
  });
  console.log(`${caught.length} of ${names.length} planted faults were caught, ${seconds(since)}`);
  return names.length - caught.length;
}

/** Steps are the same on every machine, however busy: a row for each fault, thousands of steps until it is found. */
async function compareLengths(names) {
  const found = new Map();
  const questions = names.flatMap((plant) =>
    LENGTHS.flatMap((length) => SEEDS.map((from) => ({ plant, most: length, seed: from }))),
  );
  const asked = questions.map((one) => ({ ...one, schedules: MOST, forSteps: SEARCHED, shortens: false }));
  await onEveryThread(asked, ({ plant, most: length }, { steps, script }) => {
    const key = `${plant} ${length}`;
    found.set(key, [...(found.get(key) ?? []), { steps, missed: script === null }]);
  });
  const cell = (searches) => {
    const mean = searches.reduce((sum, { steps }) => sum + steps, 0) / searches.length;
    const missed = searches.filter((one) => one.missed).length;
    return `${number(mean / 1_000)}${missed > 0 ? ` (${missed} not found)` : ''}`;
  };
  const rows = names.map((plant) => [plant, ...LENGTHS.map((length) => cell(found.get(`${plant} ${length}`)))]);
  const all = LENGTHS.map((length) => cell(names.flatMap((plant) => found.get(`${plant} ${length}`))));
  const head = ['planted', ...LENGTHS.map((length) => `up to ${length}`)];
  for (const row of [head, head.map(() => '---'), ...rows, ['all', ...all]]) console.log(`| ${row.join(' | ')} |`);
  return 0;
}

async function runSchedules(required) {
  const since = performance.now();
  const asked = values.schedules === undefined ? MOST : Number(values.schedules);
  const schedules = asked < LONG_RUN ? Math.ceil(asked / threads) : PART;
  const limit = values.schedules === undefined ? { forMs: Number(values.seconds) * 1_000 } : {};
  const share = (n) => Math.ceil((Math.ceil(asked / schedules) - n) / threads);
  const parts = await Promise.all(
    Array.from({ length: threads }, (_, n) =>
      ask({ seed: seed + n, most, schedules, every: threads, parts: share(n), ...limit }),
    ),
  );
  const sum = (column) => parts.reduce((total, part) => total + part[column], 0);
  const each = number(sum('steps') / Math.max(1, sum('schedules')));
  const { user, system } = process.cpuUsage();
  console.log(
    `seed ${seed}: ${number(sum('schedules'))} schedules, ${each} steps each, ${seconds(since)} on ${threads} cores, ` +
      `${number((user + system) / 1e6)} s of processor time`,
  );
  const counts = new Map();
  for (const [what, times] of parts.flatMap((part) => Object.entries(part.counts)))
    counts.set(what, (counts.get(what) ?? 0) + times);
  showCounts(counts);
  const failed = parts.filter(({ script }) => script !== null);
  for (const part of failed) console.log(show(part));
  const never = sum('schedules') < LONG_RUN ? [] : required.filter((what) => !counts.has(what));
  for (const what of never) console.log(`never came about: ${what}`);
  return failed.length + never.length + (sum('schedules') === 0 ? 1 : 0);
}

const HAPPENED = 'happened: ';

function showCounts(counts) {
  const list = (entries) => entries.map(([what, times]) => `${what} ${number(times)}`).join(', ');
  const often = [...counts].toSorted((a, b) => b[1] - a[1]);
  const happened = often.filter(([what]) => what.startsWith(HAPPENED));
  console.log(`${HAPPENED}${list(happened.map(([what, times]) => [what.slice(HAPPENED.length), times]))}`);
  console.log(`came about: ${list(often.filter(([what]) => !what.startsWith(HAPPENED)))}`);
}

async function main() {
  if (values.replay !== undefined) {
    const found = await ask({ seed, schedules: 1, script: values.replay, plant: values.plant });
    console.log(found.broken.length === 0 ? 'nothing is broken' : found.broken.join('\n'));
    return found.broken.length;
  }
  const { plantNames, required } = await import(bundle);
  if (values.plant !== undefined) return findPlants([values.plant]);
  if (values.lengths) return compareLengths(plantNames);
  return values.plants ? findPlants(plantNames) : runSchedules(required);
}

const bad = await main().finally(() => rmSync(folder, { recursive: true }));
process.exit(bad === 0 ? 0 : 1);
