// Carries out one benchmark on a server that is given. Reports; judges nothing and tunes nothing.
import { readFile } from 'node:fs/promises';
import { parseRateCard } from '../../src/domain/rate-card/parse-rate-card.js';
import { type BenchBed, CELL, createTarget, loadOrgs, RATE_CARD } from './bed.js';
import { compareContenders, type Say } from './compare.js';
import { withClient } from './database.js';
import { measureFeed } from './feed.js';
import { measureComparison } from './full-comparison.js';
import { createRates } from './insert-select.js';
import { formatCount, formatMs } from './numbers.js';
import type { BenchOptions } from './options.js';
import { initProduct, measureProduct, type ProductMeasure } from './product.js';
import { type PlanCost, reportComparison, reportFlat, reportPlan, reportProduct } from './report.js';
import { reportFeed } from './report-feed.js';
import { reportReconcile } from './report-reconcile.js';
import type { BenchSite } from './server.js';

export interface BenchRun {
  readonly server: BenchSite;
  readonly options: BenchOptions;
  readonly worker: BenchBed['worker'];
  /** Progress, a line at a time. */
  readonly say: Say;
}

/** Returns the lines of the report. */
export async function runBench(run: BenchRun): Promise<readonly string[]> {
  if (run.options.mode === 'flat') return reportFlat(await measureSizes(run));
  const bed = await prepareBed(run, run.options.orgs);
  if (run.options.mode === 'plan') return reportPlan(await measurePlanCosts(bed, run));
  if (run.options.mode === 'memory') return reportProduct(await repeatProduct(bed, run));
  if (run.options.mode === 'reconcile') return reportReconcile(await measureComparison(bed, run));
  if (run.options.mode === 'feed') return reportFeed(await measureFeed(bed, run.say));
  return reportComparison(await compareContenders(bed, run.say));
}

async function measureSizes(run: BenchRun): Promise<readonly (readonly ProductMeasure[])[]> {
  const sizes: (readonly ProductMeasure[])[] = [];
  for (const orgs of run.options.sizes) sizes.push(await repeatProduct(await prepareBed(run, orgs), run));
  return sizes;
}

async function repeatProduct(bed: BenchBed, { options, say }: BenchRun): Promise<readonly ProductMeasure[]> {
  const measures: ProductMeasure[] = [];
  for (let run = 1; run <= options.runs; run += 1) {
    const measure = await measureProduct(bed);
    measures.push(measure);
    say(`run ${run} of ${options.runs}: product, ${formatCount(bed.orgs)} orgs, ${formatMs(measure.ms)}`);
  }
  return measures;
}

/** Interleaved, run by run: the aggregate, the plan, the apply that follows it, and the one that follows none. */
async function measurePlanCosts(bed: BenchBed, { options, say }: BenchRun): Promise<readonly PlanCost[]> {
  const costs: PlanCost[] = [];
  for (let run = 1; run <= options.runs; run += 1) {
    const unplanned = await measureProduct(bed);
    const planned = await measureProduct(bed, 'plan');
    costs.push({ unplanned, planned });
    say(
      `run ${run} of ${options.runs}: aggregate ${formatMs(planned.aggregateMs ?? 0)}, plan ${formatMs(planned.planMs ?? 0)}, apply with it ${formatMs(planned.ms)}, without ${formatMs(unplanned.ms)}`,
    );
  }
  return costs;
}

async function prepareBed({ server, options, worker, say }: BenchRun, orgs: number): Promise<BenchBed> {
  say(`loading ${formatCount(orgs)} orgs`);
  await loadOrgs(server, orgs, options.undecidableEvery);
  const card = parseRateCard(await readFile(RATE_CARD, 'utf8'));
  const { program } = await initProduct({ server, options, worker });
  await program.close();
  await withClient(server.url(CELL), async (client) => {
    await createTarget(client);
    await createRates(client, card);
  });
  return { server, options, card, orgs, worker };
}
