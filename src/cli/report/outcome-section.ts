// What came of a plan: its prediction against what the run that followed it did. Counts only.

import type { PlanOutcome, PlanReport } from '../../domain/plan/plan-report.js';
import { html, type Markup } from '../../kernel/html.js';
import { right } from '../terminal/table.js';
import { describeSkipped, listOutcome } from '../views/show-outcome.js';
import { renderTable } from './html-table.js';

const COLUMNS = [{ title: 'What' }, right('Predicted'), right('Actual'), right('Error')];

const STATE_WORDS: Readonly<Record<PlanOutcome['state'], string>> = {
  open: 'not over yet: its numbers so far',
  done: 'done',
  failed: 'failed: what it wrote before that',
  aborted: 'aborted: what it wrote before that',
};

export function renderOutcome({ counts, planId, zone }: PlanReport, outcome: PlanOutcome): Markup {
  const mark = outcome.state === 'done' ? '✔' : '⚠';
  return html`<p>${mark} Run ${outcome.runId} followed this plan. It is ${STATE_WORDS[outcome.state]}.</p>
${renderTable('The duration is from the first batch to the last, without what it waited; its error is against the shorter end', COLUMNS, listOutcome(outcome, counts.quarantined))}
<p>A stale org changed between plan and apply, and was left out; <code>plans show ${planId ?? 'PLAN'} --stale</code> names each, with what was planned and what was found.</p>
${describeSkipped(outcome, zone).map((line) => html`<p>⚠ ${line}</p>`)}
`;
}
