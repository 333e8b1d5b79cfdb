// Runs one benchmark on a server that is given. Reports; judges nothing and tunes nothing.
import { readFile } from 'node:fs/promises';
import { parseRateCard } from '../../src/domain/rate-card/parse-rate-card.js';
import { type BenchBed, createTarget, loadOrgs, RATE_CARD, resetTarget } from './bed.js';
import { compareContenders, type Print } from './compare.js';
import { withClient } from './database.js';
import { measureDrain } from './drain.js';
import { measureFeed } from './feed.js';
import { measureComparison } from './full-comparison.js';
import { createRates } from './insert-select.js';
import { measureMeter } from './meter.js';
import { formatCount, formatMs } from './numbers.js';
import type { BenchOptions } from './options.js';
import { initProduct, measureProduct, type ProductMeasure } from './product.js';
import { reportComparison, reportFlat, reportPlan, reportProduct } from './report.js';
import { reportFeed } from './report-feed.js';
import { reportMeter } from './report-meter.js';
import { reportReconcile } from './report-reconcile.js';
import { reportSignUps } from './report-sign-ups.js';
import { reportTraffic } from './report-traffic.js';
import type { BenchSite } from './server.js';
import { measureSignUps } from './sign-ups.js';
import { measureStarts, reportStarts } from './start.js';
import { measureStream, reportStream, STREAM_FORMS, type StreamMeasure } from './stream.js';
import { measureTraffic } from './traffic.js';
import { measureUndos, reportUndoTimes } from './undo.js';

export interface BenchRun {
  readonly server: BenchSite;
  readonly options: BenchOptions;
  readonly worker: BenchBed['worker'];
  /** Progress, a line at a time. */
  readonly print: Print;
}

/** Returns the lines of the report. */
export async function runBench(run: BenchRun): Promise<readonly string[]> {
  if (run.options.mode === 'start') return reportStarts(await measureStarts(run));
  if (run.options.mode === 'signups') return reportSignUps(await measureSignUps(run));
  if (run.options.mode === 'meter')
    return reportMeter(await measureMeter(toMeterQuestion(run)), await measureDrain(run));
  if (run.options.mode === 'flat') return reportFlat(await measureSizes(run));
  const bed = await prepareBed(run, run.options.orgs);
  if (run.options.mode === 'plan') return reportPlan(await repeatProduct(bed, run));
  if (run.options.mode === 'stream') return reportStream(await measureStreams(bed, run));
  if (run.options.mode === 'memory') return reportProduct(await repeatProduct(bed, run));
  if (run.options.mode === 'reconcile') return reportReconcile(await measureComparison(bed, run));
  if (run.options.mode === 'undo') return reportUndoTimes(await measureUndos(bed, run));
  if (run.options.mode === 'traffic') return reportTraffic(await measureTraffic(bed, run.print));
  if (run.options.mode === 'feed') return reportFeed(await measureFeed(bed, run.print));
  return reportComparison(await compareContenders(bed, run.print));
}

const toMeterQuestion = ({ server: { folder }, options: { runs, sample }, print }: BenchRun) => ({
  folder,
  runs,
  calls: sample,
  print,
});

/**
 * A small size is over in half a second, of which chance has a large part: it runs more often in a round. With one run
 * nobody asks for more than a look.
 */
const ENOUGH_ORGS = 500_000;
const MAX_TIMES = 3;

const timesOf = (orgs: number, runs: number): number =>
  runs === 1 ? 1 : Math.min(MAX_TIMES, Math.ceil(ENOUGH_ORGS / orgs));

/**
 * Interleaved, round by round, since a machine's speed changes by the minute; before several rounds one run of the first
 * size prewarms, apart.
 */
async function measureSizes(run: BenchRun): Promise<readonly (readonly ProductMeasure[])[]> {
  const { runs, sizes } = run.options;
  const beds: { readonly bed: BenchBed; readonly measures: ProductMeasure[] }[] = [];
  for (const orgs of sizes) beds.push({ bed: await prepareBed(run, orgs, `bench_cell_${orgs}`), measures: [] });
  if (beds[0] !== undefined && runs > 1) await measureApart(beds[0].bed);
  for (let round = 1; round <= runs; round += 1) {
    for (const { bed, measures } of beds) {
      for (let time = 1; time <= timesOf(bed.orgs, runs); time += 1) {
        const measure = await measureApart(bed);
        measures.push(measure);
        run.print(`round ${round} of ${runs}: product, ${formatCount(bed.orgs)} orgs, ${formatMs(measure.ms)}`);
      }
    }
  }
  return beds.map(({ measures }) => measures);
}

/** Leaves nothing behind that autovacuum would work on beside the next measure. */
async function measureApart(bed: BenchBed): Promise<ProductMeasure> {
  const measure = await measureProduct(bed);
  await resetTarget(bed);
  return measure;
}

async function repeatProduct(bed: BenchBed, { options, print }: BenchRun): Promise<readonly ProductMeasure[]> {
  const measures: ProductMeasure[] = [];
  for (let run = 1; run <= options.runs; run += 1) {
    const measure = await measureProduct(bed);
    measures.push(measure);
    const { ms, planMs, aggregateMs } = measure;
    const parts = `aggregate ${formatMs(aggregateMs)}, plan ${formatMs(planMs)}, apply ${formatMs(ms)}`;
    print(`run ${run} of ${options.runs}: product, ${formatCount(bed.orgs)} orgs: ${parts}`);
  }
  return measures;
}

/** The command line as people run it, its list of orgs plain and packed. */
async function measureStreams(bed: BenchBed, { options, print }: BenchRun): Promise<readonly StreamMeasure[]> {
  const measures: StreamMeasure[] = [];
  for (let run = 1; run <= options.runs; run += 1)
    for (const form of STREAM_FORMS) {
      measures.push(await measureStream(bed, form));
      print(`run ${run} of ${options.runs}: ${form}`);
    }
  return measures;
}

async function prepareBed(
  { server, options, worker, print }: BenchRun,
  orgs: number,
  cell = 'bench_cell',
): Promise<BenchBed> {
  print(`loading ${formatCount(orgs)} orgs`);
  await loadOrgs({ server, cell, orgs, options, worker });
  const card = parseRateCard(await readFile(RATE_CARD, 'utf8'));
  const { program } = await initProduct({ server, options, worker, cell });
  await program.close();
  await withClient(server.url(cell), async (client) => {
    await createTarget(client);
    await createRates(client, card);
  });
  return { server, options, card, orgs, worker, cell };
}
