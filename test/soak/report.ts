// What a soak prints at its end.
import type { Violation } from './check-invariants.js';
import type { Growth } from './growth.js';
import type { SoakOptions } from './options.js';

export interface Outcome {
  readonly seconds: number;
  readonly violations: readonly (Violation & { readonly atS: number })[];
  readonly injected: ReadonlyMap<string, { readonly times: number; readonly failed: number }>;
  readonly growth: readonly Growth[];
  readonly asked: { readonly rounds: number; readonly unanswered: number };
  readonly product: ReadonlyMap<string, number>;
  readonly operators: ReadonlyMap<string, number>;
  readonly refused: ReadonlyMap<string, number>;
}

export const print = (text: string): void => void process.stdout.write(`${text}\n`);

const listCounts = (counts: ReadonlyMap<string, number>): string =>
  [...counts]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([name, times]) => `${name} ${times}`)
    .join(', ') || 'none';

export function describeOutcome({ queue, seed }: SoakOptions, outcome: Outcome): string {
  const { seconds, violations, injected, growth, asked } = outcome;
  const faults = [...injected].sort(([a], [b]) => a.localeCompare(b));
  const total = faults.reduce((sum, [, { times }]) => sum + times, 0);
  const rows = violations.reduce((sum, one) => sum + one.rows.length, 0);
  const number = (value: number): string => value.toFixed(value % 1 === 0 ? 0 : 1).padStart(9);
  return [
    '',
    `Soak on ${queue}, seed ${seed}, ${seconds} s`,
    '',
    `faults injected: ${total}`,
    ...faults.map(
      ([kind, { times, failed }]) =>
        `  ${String(times).padStart(5)}  ${kind}${failed > 0 ? ` (${failed} failed)` : ''}`,
    ),
    `the product did: ${listCounts(outcome.product)}`,
    `people did: ${listCounts(outcome.operators)}`,
    `people were refused: ${listCounts(outcome.refused)}`,
    '',
    `${'growth'.padEnd(40)}${['samples', 'first', 'most', 'last', 'grew', 'bound'].map((name) => name.padStart(10)).join('')}`,
    ...growth.map(
      ({ name, samples, first, most, last, grew, bound, verdict }) =>
        `${name.padEnd(40)}${[samples, first, most, last, grew, bound].map((value) => ` ${number(value)}`).join('')}  ${verdict}`,
    ),
    '',
    `invariants asked ${asked.rounds} times (${asked.unanswered} questions unanswered, since a server was down): ${rows} rows`,
    ...violations.map(
      ({ id, where, holds, rows, atS }) =>
        `  ${id} in ${where} after ${atS} s: ${holds}; ${rows.length} rows, such as ${JSON.stringify(rows.slice(0, 3)).slice(0, 2_000)}`,
    ),
    `verdict: ${violations.length === 0 ? 'held' : 'BROKEN'}`,
  ].join('\n');
}
