// What a reader should check: falls, traps, and orgs that cannot be decided. Counts only.
import { groupEditions } from '../../domain/plan/group-editions.js';
import type { PlanReport } from '../../domain/plan/plan-report.js';
import { html, type Markup } from '../../kernel/html.js';
import { showCount, showOrgs } from '../terminal/numbers.js';
import { right } from '../terminal/table.js';
import { countPaidLeft, TOO_LONG, TRAPS } from '../views/plan-words.js';
import { renderTable } from './html-table.js';

export function renderExceptions(report: PlanReport): Markup {
  return html`${renderFalls(report)}${renderTraps(report)}${renderUndecidable(report)}`;
}

function renderFalls(report: PlanReport): Markup {
  const { counts, branches } = report;
  const left = countPaidLeft(report);
  const paid =
    counts.paidFalling === 0
      ? html`<p class="good">✔ No paid org is lowered.</p>`
      : html`<p class="bad">✖ ${showOrgs(counts.paidFalling)} that pay would fall: the promise is broken.</p>`;
  const falling = groupEditions(branches).filter(({ unpaidFalling }) => unpaidFalling > 0);
  const table = renderTable(
    'Unpaid orgs whose daily number falls, by edition',
    [{ title: 'Edition' }, right('Orgs')],
    falling.map(({ edition, unpaidFalling }) => [edition, showCount(unpaidFalling)]),
  );
  return html`<h3>Falls</h3>${paid}${left === 0 ? [] : html`<p>⚠ ${showOrgs(left)} that pay would come out lower; an apply leaves them as they are.</p>`}
<p>${showOrgs(counts.unpaidFalling)} that do not pay (free, trial, lapsed) get less than today. The promise is made to paid orgs.</p>
${falling.length === 0 ? [] : table}`;
}

const renderTraps = ({ counts }: PlanReport): Markup =>
  html`<h3>Traps</h3>
<p>${counts.traps === 0 ? '✔ None.' : `⚠ ${showOrgs(counts.traps)}.`} Traps are ${TRAPS}</p>
`;

function renderUndecidable({ counts, quarantined, leftOut }: PlanReport): Markup {
  const without = leftOut ? html`<p>⚠ ${showOrgs(leftOut)} are left out, ${TOO_LONG}.</p>` : [];
  if (quarantined.length === 0) return html`<h3>Undecidable orgs</h3><p>✔ None.</p>${without}`;
  const rows = quarantined.map(({ reason, orgs }) => [reason, showCount(orgs)]);
  return html`<h3>Undecidable orgs</h3>
<p>${showOrgs(counts.quarantined)} are quarantined with their reason and keep what they have. Correct them in the source; orgs.csv names them.</p>${without}
${renderTable('By reason', [{ title: 'Reason' }, right('Orgs')], rows)}`;
}
