// The options of `npm run bench -- …`. Parses arguments; starts nothing.
import { parseArgs } from 'node:util';
import type { BatchSetting } from '../../src/domain/config/rollout-config.js';
import { RolloutError } from '../../src/kernel/rollout-error.js';

/** Contenders of a comparison, in the order in which they run. */
export const CONTENDERS = [
  'insert-select',
  'product',
  'knex-loop',
  'job-per-org-redis',
  'job-per-org-postgres',
] as const;
export type ContenderName = (typeof CONTENDERS)[number];

/**
 * Modes of the product alone: cost per org by size, memory of a worker, what a plan, a night without changes and an undo
 * cost, how fast edits are followed, memory of the command line, how long it takes to start, what a sign-up costs, what a
 * metered call costs, and what a rollout takes of the product's traffic.
 */
export const MODES = [
  'flat',
  'memory',
  'plan',
  'feed',
  'reconcile',
  'undo',
  'stream',
  'start',
  'signups',
  'meter',
  'traffic',
] as const;
export type Mode = (typeof MODES)[number];

/** Modes of which another build can do the same, in turn with today's. */
const COMPARED = ['plan', 'reconcile', 'feed'] as const;
export type ComparedMode = (typeof COMPARED)[number];

export interface BenchOptions {
  readonly mode: 'compare' | Mode;
  readonly contenders: readonly ContenderName[];
  /** Orgs in the one cell. */
  readonly orgs: number;
  /** Sizes of the mode `flat`. */
  readonly sizes: readonly number[];
  readonly runs: number;
  /** Orgs for the contenders that run one job per org; sign-ups of each condition in `signups`; calls in `meter`. */
  readonly sample: number;
  readonly batchSize: BatchSetting;
  readonly lanes: number;
  /** One org in so many is undecidable. */
  readonly undecidableEvery: number;
  /** The commit, or the folder of a build, that today's is compared with; `none`: with nothing. */
  readonly before: string;
  /** What the two builds do in turn; empty: no build is compared so. */
  readonly compared: readonly ComparedMode[];
}

export const USAGE = `npm run bench -- [--orgs N] [--runs N] [--only NAME,…] [--sample N] [--sizes N,…]
                 [--batch-size N|auto] [--lanes N] [--undecidable-every N]
NAME: ${[...CONTENDERS, ...MODES].join(', ')}

npm run bench -- --only start [--runs N] [--before COMMIT|DIR|none]
  how long --version, --help and status take beside \`node -e 0\`: medians of N runs (default 20), in turn;
  status reads a control database and three cells of a local PostgreSQL. --before is what the build is
  compared with: a commit, which is built in a temporary folder (default HEAD~1), or the folder of a build

npm run bench -- --only ${COMPARED.join(',')} --before COMMIT|DIR [--runs N] [--orgs N]
  a plan, a rollout and its verification; a night without changes; how edits are followed (one of them
  or several): by that build and by this one, in turn, and their ratios; 200,000 orgs without plan`;

const FLAGS = [
  'orgs',
  'runs',
  'only',
  'sample',
  'sizes',
  'batch-size',
  'lanes',
  'undecidable-every',
  'before',
] as const;
type Flag = (typeof FLAGS)[number];
type Values = { readonly [F in Flag]?: string | undefined };

/** Where it is not two millions. */
const ORGS: Readonly<Partial<Record<BenchOptions['mode'], number>>> = {
  memory: 10_000_000,
  feed: 10_000_000,
  signups: 200_000,
};

/** Where two builds do in turn what no plan is part of. */
const COMPARED_ORGS = 200_000;

/** @throws invalid_argument */
export function parseBenchOptions(args: readonly string[]): BenchOptions {
  const values = readFlags(args);
  const names = values.only?.split(',') ?? [...CONTENDERS];
  const mode = MODES.find((one) => names.includes(one));
  const compared = (values.before ?? 'none') === 'none' ? [] : COMPARED.filter((one) => names.includes(one));
  if (mode !== undefined && names.length > Math.max(1, compared.length))
    throw usageError(`--only ${mode} cannot be combined with others`);
  const unknown = names.find((name) => ![...CONTENDERS, ...MODES].some((one) => one === name));
  if (unknown !== undefined) throw usageError(`No contender is called "${unknown}"`);
  const small = compared.length > 0 && !compared.includes('plan') ? COMPARED_ORGS : undefined;
  return {
    mode: mode ?? 'compare',
    contenders: CONTENDERS.filter((name) => names.includes(name)),
    orgs: parseCount(values, 'orgs', small ?? ORGS[mode ?? 'compare'] ?? 2_000_000),
    sizes: (values.sizes ?? '100000,1000000,10000000').split(',').map((text) => toCount('sizes', text)),
    runs: parseCount(
      values,
      'runs',
      mode === 'start' ? 20 : mode === 'memory' || mode === 'traffic' ? 1 : mode === 'meter' ? 5 : 3,
    ),
    sample: parseCount(values, 'sample', mode === 'signups' ? 1_000 : 20_000),
    batchSize: parseBatchSize(values),
    lanes: parseCount(values, 'lanes', 2),
    undecidableEvery: parseCount(values, 'undecidable-every', 250_000),
    before: values.before ?? (mode === 'start' ? 'HEAD~1' : 'none'),
    compared,
  };
}

function readFlags(args: readonly string[]): Values {
  const options = Object.fromEntries(FLAGS.map((flag) => [flag, { type: 'string' as const }]));
  try {
    return parseArgs({ args: [...args], options, strict: true }).values;
  } catch (cause) {
    throw usageError(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** The product's default; an older build, that today's is compared with, may know numbers only. */
const parseBatchSize = (values: Values): BatchSetting =>
  values['batch-size'] === 'auto' || (values['batch-size'] === undefined && values.before === undefined)
    ? 'auto'
    : parseCount(values, 'batch-size', 10_000);

const parseCount = (values: Values, flag: Flag, otherwise: number): number =>
  values[flag] === undefined ? otherwise : toCount(flag, values[flag]);

function toCount(flag: Flag, text: string): number {
  const count = Number(text.replaceAll('_', ''));
  if (!Number.isSafeInteger(count) || count < 1) throw usageError(`--${flag} ${text} is not a count`);
  return count;
}

const usageError = (message: string, cause?: unknown): RolloutError =>
  new RolloutError('invalid_argument', { message: `${message}.`, next: USAGE, cause });
