// `rate-card check` for people and for programs: which golden cases pass, and which branches nobody has checked.

import type { RateCard } from '../../domain/rate-card/rate-card.js';
import type { FailedCase } from '../../domain/rate-card-check/check-rate-card.js';
import type { EditionCoverage } from '../../domain/rate-card-check/list-uncovered-branches.js';
import { showCount } from '../terminal/numbers.js';
import { indent, layOutTable, right } from '../terminal/table.js';

export interface CheckedCard {
  readonly card: RateCard;
  readonly failed: readonly FailedCase[];
  readonly coverage: readonly EditionCoverage[];
}

/** Failing cases, and editions: a screen of each. All of them are in the document. */
const SHOWN = 20;
const showRest = (all: number): readonly string[] =>
  all > SHOWN ? [`    and ${showCount(all - SHOWN)} more: --json`] : [];

const COLUMNS = [{ title: 'EDITION' }, right('BRANCHES'), right('COVERED'), right('UNCOVERED')];

export function showCheckedCard({ card, failed, coverage }: CheckedCard, width: number): string {
  return [
    showVerdict(card, failed.length),
    ...failed.slice(0, SHOWN).map(({ message }) => `    ${message}`),
    ...showRest(failed.length),
    ...showCoverage(coverage, width),
  ].join('\n');
}

function showVerdict({ name, editions, cases }: RateCard, failed: number): string {
  if (cases.length === 0)
    return `! ${name}: ${editions.size} editions, and no golden cases: its rates were read, but nothing was checked`;
  const passed = cases.length - failed;
  return `${failed === 0 ? '✔' : '✖'} ${name}: ${editions.size} editions, ${passed} of ${cases.length} golden cases pass`;
}

function showCoverage(coverage: readonly EditionCoverage[], width: number): readonly string[] {
  const all = coverage.reduce((sum, { branches }) => sum + branches, 0);
  const open = coverage.reduce((sum, { uncovered }) => sum + uncovered.length, 0);
  if (open === 0) return [`  Every one of the ${showCount(all)} branches that it can produce has a case.`];
  const rows = coverage
    .slice(0, SHOWN)
    .map(({ edition, branches, uncovered }) => [
      edition,
      showCount(branches),
      showCount(branches - uncovered.length),
      showCount(uncovered.length),
    ]);
  return [
    `  No case covers ${showCount(open)} of the ${showCount(all)} branches that it can produce (paid × winner × purchased × light agents × negotiated):`,
    '',
    ...indent(layOutTable(COLUMNS, rows, width - 2)),
    ...showRest(coverage.length),
    '',
    '  Which ones: --json.',
  ];
}

export function checkedCardDocument({ card, failed, coverage }: CheckedCard): Readonly<Record<string, unknown>> {
  return {
    name: card.name,
    cardHash: card.hash,
    editions: [...card.editions.keys()],
    cases: card.cases.length,
    failed: failed.map(({ position, name, message }) => ({ position, name, message })),
    coverage: coverage.map(({ edition, branches, uncovered }) => ({
      edition,
      branches,
      covered: branches - uncovered.length,
    })),
    uncovered: coverage.flatMap(({ uncovered }) => uncovered),
  };
}
