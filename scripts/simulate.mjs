// `npm run simulate`: the whole engine on a model of its databases, in schedules from a seed that is printed, on every
// core, for as long or as many as asked. Options: --seconds N (60), --schedules N instead of a time, --seed N,
// --replay SCRIPT as a failure prints it, --plants (every planted fault that is known to be found must be found, and
// nothing else), --plant NAME (one of them, with its shortest schedule).
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
    replay: { type: 'string' },
    plant: { type: 'string' },
    plants: { type: 'boolean', default: false },
  },
});
/** A fault that is planted is found within so many. */
const PLANTED = 1_500;
const MOST = 2 ** 30;
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
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

const show = ({ script, broken }) => `${broken.join('\n')}\n  npm run simulate -- --replay "${script}"`;
const seconds = (since) => `${((performance.now() - since) / 1_000).toFixed(1)} s`;

async function findPlants(names, notCaught) {
  const since = performance.now();
  const shortens = values.plant !== undefined;
  const caught = [];
  const left = [...names];
  const look = async () => {
    for (let plant = left.shift(); plant !== undefined; plant = left.shift()) {
      const { script, schedules, broken } = await ask({ plant, seed: 1, schedules: PLANTED, shortens });
      const how = script === null ? `NOT CAUGHT in ${schedules}` : `caught after ${schedules}: ${broken[0]}`;
      console.log(`planted: ${plant}: ${how}${shortens && script !== null ? `\n  ${script}` : ''}`);
      if (script !== null) caught.push(plant);
    }
  };
  await Promise.all(Array.from({ length: threads }, look));
  console.log(`${caught.length} of ${names.length} planted faults were caught, ${seconds(since)}`);
  return names.filter((name) => !caught.includes(name) && !notCaught.includes(name)).length;
}

async function runSchedules() {
  const since = performance.now();
  const limit =
    values.schedules === undefined
      ? { schedules: MOST, forMs: Number(values.seconds) * 1_000 }
      : { schedules: Math.ceil(Number(values.schedules) / threads) };
  const parts = await Promise.all(Array.from({ length: threads }, (_, n) => ask({ seed: seed + n, ...limit })));
  const sum = (column) => parts.reduce((total, part) => total + part[column], 0);
  const each = Math.round(sum('steps') / Math.max(1, sum('schedules')));
  console.log(`seed ${seed}: ${sum('schedules')} schedules, ${each} steps each, ${seconds(since)} on ${threads} cores`);
  const failed = parts.filter(({ script }) => script !== null);
  for (const part of failed) console.log(show(part));
  return failed.length + (sum('schedules') === 0 ? 1 : 0);
}

async function main() {
  if (values.replay !== undefined) {
    const found = await ask({ seed, schedules: 1, script: values.replay, plant: values.plant });
    console.log(found.broken.length === 0 ? 'nothing is broken' : found.broken.join('\n'));
    return found.broken.length;
  }
  if (!values.plants && values.plant === undefined) return runSchedules();
  const { plantNames, notCaught } = await import(bundle);
  return findPlants(values.plants ? plantNames : [values.plant], notCaught);
}

const bad = await main().finally(() => rmSync(folder, { recursive: true }));
process.exit(bad === 0 ? 0 : 1);
