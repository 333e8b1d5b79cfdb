// Which kinds of decisions occur, and how often: what the canary covers, and where a rule was never exercised.

import { countBranches, sumBranches } from '../../domain/plan/group-editions.js';
import type { BranchCount, PlanReport } from '../../domain/plan/plan-report.js';
import { html, type Markup } from '../../kernel/html.js';
import { showCount } from '../terminal/numbers.js';
import { renderTable } from './html-table.js';

/** The eight columns: purchased × light agents × negotiated. */
const TRAITS = [false, true].flatMap((purchased) =>
  [false, true].flatMap((lightAgents) => [false, true].map((negotiated) => ({ purchased, lightAgents, negotiated }))),
);

/** Per edition: who pays and wins by credits or legacy, and who does not pay. */
const WINNERS = [
  { paid: true, winner: 'credits', words: 'paid, credits win' },
  { paid: true, winner: 'legacy', words: 'paid, legacy kept' },
  { paid: false, winner: 'credits', words: 'unpaid' },
] as const;

export function renderCoverage({ branches }: PlanReport): Markup {
  const { present, most } = countBranches(branches);
  const editions = [...new Set(branches.map(({ edition }) => edition))].sort();
  const columns = [
    { title: 'Edition' },
    { title: 'Decision' },
    ...TRAITS.map((traits) => ({ title: nameTraits(traits), align: 'right' }) as const),
  ];
  const rows = editions
    .flatMap((edition) => WINNERS.map((kind) => toRow(branches, edition, kind)))
    .filter((row) => row.slice(2).some((cell) => cell !== '–'));
  return html`<p>${present} branches occur, of at most ${most} for these editions. A dash, or what is not listed: no org takes that branch, so neither the canary, the few orgs that are written first, nor this plan exercises it.</p>
${renderTable('Orgs by edition × paid × winner (rows) × purchased × light agents × negotiated (columns)', columns, rows)}`;
}

function toRow(
  branches: readonly BranchCount[],
  edition: string,
  { paid, winner, words }: (typeof WINNERS)[number],
): readonly string[] {
  const own = branches.filter(
    (branch) => branch.edition === edition && branch.paid === paid && branch.winner === winner,
  );
  return [edition, words, ...TRAITS.map((traits) => countTraits(own, traits))];
}

type Traits = (typeof TRAITS)[number];

function countTraits(branches: readonly BranchCount[], traits: Traits): string {
  const { orgs } = sumBranches(
    branches.filter(
      (branch) =>
        branch.purchased === traits.purchased &&
        branch.lightAgents === traits.lightAgents &&
        branch.negotiated === traits.negotiated,
    ),
  );
  return orgs === 0 ? '–' : showCount(orgs);
}

function nameTraits({ purchased, lightAgents, negotiated }: Traits): string {
  const names = [
    ...(purchased ? ['purchased'] : []),
    ...(lightAgents ? ['light agents'] : []),
    ...(negotiated ? ['negotiated'] : []),
  ];
  return names.length === 0 ? 'none' : names.join(' + ');
}
