// The comparison: every contender on the same orgs, interleaved run by run. Rejects numbers whose rows are not the
// same.
import type { BenchBed, Measure } from './bed.js';
import { measureInsertSelect, readExpected } from './insert-select.js';
import { measureJobPerOrg } from './job-per-org.js';
import { measureKnexLoop } from './knex-loop.js';
import { formatMs } from './numbers.js';
import type { ContenderName } from './options.js';
import { measureProduct, type ProductMeasure } from './product.js';

export type Print = (line: string) => void;

/** One contender's runs, in the order in which they ran. */
export interface ContenderResult {
  readonly name: ContenderName;
  readonly measures: readonly Measure[];
}

export interface ContenderComparison {
  readonly results: readonly ContenderResult[];
  readonly product: readonly ProductMeasure[];
  readonly skipped: readonly { readonly name: ContenderName; readonly reason: string }[];
}

const MEASURES: { readonly [Name in Exclude<ContenderName, 'product'>]: (bed: BenchBed) => Promise<Measure> } = {
  'insert-select': measureInsertSelect,
  'knex-loop': measureKnexLoop,
  'job-per-org-redis': (bed) => measureJobPerOrg(bed, 'redis'),
  'job-per-org-postgres': (bed) => measureJobPerOrg(bed, 'postgres'),
};

export async function compareContenders(bed: BenchBed, print: Print): Promise<ContenderComparison> {
  const { contenders, runs } = bed.options;
  const noRedis = bed.server.redisUrl === undefined;
  const names = contenders.filter((name) => !(noRedis && name === 'job-per-org-redis'));
  const measures = new Map<ContenderName, Measure[]>(names.map((name) => [name, []]));
  const product: ProductMeasure[] = [];
  for (let run = 1; run <= runs; run += 1) {
    for (const name of names) {
      const measure = await measureOne(bed, name, product);
      await assertSameRows(bed, name, measure);
      measures.get(name)?.push(measure);
      print(`run ${run} of ${runs}: ${name} ${formatMs(measure.ms)}`);
    }
  }
  const skipped = contenders
    .filter((name) => !names.includes(name))
    .map((name) => ({ name, reason: 'neither redis-server nor valkey-server is installed' }));
  return { results: [...measures].map(([name, runsOf]) => ({ name, measures: runsOf })), product, skipped };
}

async function measureOne(bed: BenchBed, name: ContenderName, product: ProductMeasure[]): Promise<Measure> {
  if (name !== 'product') return MEASURES[name](bed);
  const measure = await measureProduct(bed);
  product.push(measure);
  return measure;
}

async function assertSameRows(bed: BenchBed, name: ContenderName, measure: Measure): Promise<void> {
  const expected = await readExpected(bed, measure.orgs);
  if (expected.written !== measure.written || expected.totalCredits !== measure.totalCredits)
    throw new Error(
      `${name} wrote ${measure.written} rows with ${measure.totalCredits} credits, expected ${expected.written} with ${expected.totalCredits}`,
    );
}
