// Turns measures into text: tables, ratios, and the goals beside them. Pure.
import type { ContenderComparison, ContenderResult } from './compare.js';
import { findMedian, formatCount, formatMs, formatTable } from './numbers.js';
import type { ContenderName } from './options.js';
import type { ProductMeasure } from './product.js';

const perOrgUs = ({ measures }: ContenderResult): number =>
  findMedian(measures.map(({ ms, orgs }) => (ms * 1_000) / orgs));

/** The table of contenders, their ratios, and what the product reports of itself. */
export function reportComparison(comparison: ContenderComparison): readonly string[] {
  const { results, product, skipped } = comparison;
  const own = results.find(({ name }) => name === 'product');
  const rows = results.map((result) => [
    result.name,
    formatCount(result.measures[0]?.orgs ?? 0),
    formatMs(findMedian(result.measures.map(({ ms }) => ms))),
    `${perOrgUs(result).toFixed(2)} µs`,
    own === undefined ? '' : `${(perOrgUs(result) / perOrgUs(own)).toFixed(2)} ×`,
    result.measures.map(({ ms }) => formatMs(ms)).join(', '),
  ]);
  return [
    ...formatTable([['contender', 'orgs', 'median', 'per org', 'to product', 'runs'], ...rows]),
    ...skipped.map(({ name, reason }) => `${name}: skipped, ${reason}`),
    '',
    ...reportGoals(results),
    ...(product.length > 0 ? ['', ...reportProduct(product)] : []),
  ];
}

interface Goal {
  readonly what: string;
  readonly value: number | undefined;
  readonly limit: number;
  readonly side: 'at most' | 'at least';
  readonly unit: string;
}

/** A measure beside its goal. */
export const formatGoal = ({ what, value, limit, side, unit }: Goal): string => {
  if (value === undefined || Number.isNaN(value)) return `${what}: not measured (goal: ${side} ${limit}${unit})`;
  const reached = side === 'at most' ? value <= limit : value >= limit;
  const digits = unit === ' ms' || unit === ' MB' ? 0 : 2;
  return `${what}: ${value.toFixed(digits)}${unit} (goal: ${side} ${limit}${unit}) ${reached ? 'reached' : 'MISSED'}`;
};

function reportGoals(results: readonly ContenderResult[]): readonly string[] {
  const cost = (name: ContenderName): number | undefined => {
    const found = results.find((result) => result.name === name);
    return found && perOrgUs(found);
  };
  const ratio = (above: ContenderName, below: ContenderName): number | undefined => {
    const [over, under] = [cost(above), cost(below)];
    return over === undefined || under === undefined ? undefined : over / under;
  };
  const goals: readonly Goal[] = [
    { what: 'product / insert-select', value: ratio('product', 'insert-select'), limit: 1, side: 'at most', unit: '' },
    { what: 'knex-loop / product', value: ratio('knex-loop', 'product'), limit: 8, side: 'at least', unit: '' },
    {
      what: 'job-per-org-redis / product, per org',
      value: ratio('job-per-org-redis', 'product'),
      limit: 150,
      side: 'at least',
      unit: '',
    },
  ];
  return goals.map(formatGoal);
}

/** What the plans chose, and what an org took in their batches then. */
function describeSizes(product: readonly ProductMeasure[]): string {
  const each = product.map(({ batchSize, times }) => {
    const expected = batchSize?.perOrgUs == null ? '' : ` by ${batchSize.basis}, ${batchSize.perOrgUs} µs an org`;
    const taken = (times.batchP50Ms * 1_000) / (batchSize?.orgs ?? Number.NaN);
    return `${formatCount(batchSize?.orgs ?? 0)} orgs${expected} (taken ${taken.toFixed(1)} µs)`;
  });
  return `batches of ${each.join('; ')}`;
}

/** Medians over the product's runs: stages, batches, waiting, memory. */
export function reportProduct(product: readonly ProductMeasure[]): readonly string[] {
  const median = (read: (measure: ProductMeasure) => number): number => findMedian(product.map(read));
  const gap = (index: number): number => median(({ times }) => times.gaps[index]?.ms ?? Number.NaN);
  const first = product[0]?.times;
  const atMost = (what: string, value: number, limit: number, unit: string): string =>
    formatGoal({ what, value, limit, side: 'at most', unit });
  return [
    `product: ${formatCount(first?.written ?? 0)} allotments, ${formatCount(first?.quarantined ?? 0)} quarantined, ${first?.batches} batches`,
    `  ${describeSizes(product)}`,
    `  plan ${formatMs(median(({ planMs }) => planMs))}, before the apply and not part of it`,
    `  migrate ${formatMs(median(({ times }) => times.migrateMs))}, verification apart ${formatMs(median(({ times }) => times.verifyMs))}`,
    `  batch transaction without its commit: p50 ${formatMs(median(({ times }) => times.batchP50Ms))}, longest ${formatMs(Math.max(...product.map(({ times }) => times.batchMaxMs)))}`,
    `  ${atMost(
      'p99 of a batch',
      median(({ times }) => times.batchP99Ms),
      250,
      ' ms',
    )}`,
    `  ${atMost(
      'apply → first batch',
      median(({ askedToFirstBatchMs }) => askedToFirstBatchMs),
      2_000,
      ' ms',
    )}`,
    ...(first?.gaps ?? []).map(({ name }, index) => `  ${atMost(name, gap(index), 500, ' ms')}`),
    `  ${reportMemory(product)}`,
  ];
}

function reportMemory(product: readonly ProductMeasure[]): string {
  const known = product.flatMap(({ memory }) => memory ?? []);
  if (known.length === 0) return 'worker memory: not measured (it ran inline, or this is not Linux)';
  const mb = (kb: number): number => kb / 1_024;
  const worst = known.reduce((a, b) => (b.peakKb - b.startKb > a.peakKb - a.startKb ? b : a));
  const growth = formatGoal({
    what: 'worker RSS, peak above start',
    value: mb(worst.peakKb - worst.startKb),
    limit: 30,
    side: 'at most',
    unit: ' MB',
  });
  return `${growth}; start ${mb(worst.startKb).toFixed(0)} MB, peak ${mb(worst.peakKb).toFixed(0)} MB, end ${mb(worst.endKb).toFixed(0)} MB`;
}

/** Planning beside a bare aggregate over the same join. */
export function reportPlan(product: readonly ProductMeasure[]): readonly string[] {
  const aggregate = findMedian(product.map(({ aggregateMs }) => aggregateMs));
  const planning = findMedian(product.map(({ planMs }) => planMs));
  return [
    `medians: aggregate ${formatMs(aggregate)}, plan ${formatMs(planning)}`,
    formatGoal({ what: 'plan / aggregate', value: planning / aggregate, limit: 4, side: 'at most', unit: '' }),
    '',
    ...reportProduct(product),
  ];
}

/** Cost per org by size: flat within 15 %. */
export function reportFlat(sizes: readonly (readonly ProductMeasure[])[]): readonly string[] {
  const costs = sizes.map((runs) => findMedian(runs.map(({ ms, orgs }) => (ms * 1_000) / orgs)));
  const rows = sizes.map((runs, index) => [
    formatCount(runs[0]?.orgs ?? 0),
    formatMs(findMedian(runs.map(({ ms }) => ms))),
    `${costs[index]?.toFixed(2)} µs`,
    runs.map(({ ms }) => formatMs(ms)).join(', '),
  ]);
  const spread = (Math.max(...costs) / Math.min(...costs) - 1) * 100;
  return [
    ...formatTable([['orgs', 'median', 'per org', 'runs'], ...rows]),
    '',
    formatGoal({
      what: 'cost per org, dearest over cheapest size',
      value: spread,
      limit: 15,
      side: 'at most',
      unit: ' %',
    }),
    ...sizes.flatMap((runs) => ['', ...reportProduct(runs)]),
  ];
}
