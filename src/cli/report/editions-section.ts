// A plan by edition: bars and a table. Counts and sums only.

import { type EditionSum, groupEditions, sumPurchases } from '../../domain/plan/group-editions.js';
import type { PlanReport } from '../../domain/plan/plan-report.js';
import { html, type Markup } from '../../kernel/html.js';
import { showChange, showCount } from '../terminal/numbers.js';
import { right } from '../terminal/table.js';
import { showEdition } from '../views/plan-words.js';
import { type Bar, renderBars } from './bar-chart.js';
import { renderTable } from './html-table.js';

const COLUMNS = [
  { title: 'Edition' },
  right('Orgs'),
  right('Paid'),
  right('Legacy kept'),
  right('Falling'),
  right('Credits before'),
  right('After'),
  right('Change'),
  right('By rate card'),
  right('Top-ups'),
  right('Purchased'),
];

/** `id` sets its charts apart from those of other plans. */
export function renderEditions({ branches }: PlanReport, id: string): Markup {
  const editions = groupEditions(branches);
  if (editions.length === 0) return html`<p>No org can be decided.</p>`;
  const chart = renderBars({
    id: `${id}-editions`,
    title: 'Credits a day by edition, today and after the change',
    description: 'Two bars for each edition. The table below has the same numbers.',
    hasTable: true,
    bars: editions.flatMap(toBars),
  });
  return html`${chart}${renderTable('Decided orgs by edition; sums in credits a day', COLUMNS, editions.map(toRow))}`;
}

const toBars = (line: EditionSum): readonly Bar[] => [
  { label: line.edition, parts: [{ fill: 'before', size: BigInt(line.before) }], value: showCount(line.before) },
  {
    label: '',
    parts: [
      { fill: 'plan', size: BigInt(line.planCredits) },
      { fill: 'topUp', size: BigInt(line.grandfathered) },
      { fill: 'purchased', size: BigInt(sumPurchases(line)) },
    ],
    value: `${showCount(line.after)} (${showChange(line.before, line.after)})`,
  },
];

const toRow = (line: EditionSum): readonly string[] => [
  ...showEdition(line),
  showCount(line.planCredits),
  showCount(line.grandfathered),
  showCount(sumPurchases(line)),
];
