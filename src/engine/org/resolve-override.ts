// What the rule gives for an org with another floor, or why the rule would not keep that floor. Reads only: the author
// is shown what is written once a second person approves.
import type { Allotment } from '../../domain/org/allotment.js';
import { decideOrg, type OrgQuestion } from '../../domain/org/decide-org.js';
import { type Advice, advise, command } from '../../kernel/advice.js';
import { formatCredits } from '../../kernel/format-credits.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { findOverridableOrg, type OverridableOrg } from '../../stores/cell/org/overridden-allotment.js';
import { findSourceOrg, type SourceOrg } from '../../stores/cell/org/source-org.js';
import { fromStoredCard } from '../stored-card.js';
import { getActiveCard } from './find-org.js';

export interface OverrideQuestion {
  readonly dataCenter: string;
  /** As its cell spells it. */
  readonly orgId: string;
  /** Credits a day; null: no floor. */
  readonly floor: bigint | null;
}

export interface OverrideDecision {
  readonly before: Allotment;
  readonly after: Allotment;
  /** The card of `after`: the cell's active one. */
  readonly cardHash: string;
}

/** Throws override_refused with the reason, not_initialised. */
export async function resolveOverride(tx: CellTransaction, question: OverrideQuestion): Promise<OverrideDecision> {
  const { dataCenter, floor } = question;
  const org = await findOverridableOrg(tx, question.orgId);
  if (org === undefined)
    throw rejected(`The org has no allotment in data center "${dataCenter}" yet.`, applyFirst(dataCenter));
  const inputs = await getInputs(tx, question);
  rejectSameFloor(org.stored, floor);
  const rules = await loadRules(tx, dataCenter);
  // as if the stored floor were this one, recorded with today's edition: then the rule does not lower it again
  const prior: Allotment = { ...org.stored, floor, floorEdition: floor === null ? null : inputs.edition };
  const decision = decideOrg({ ...rules, inputs, prior, gate: org.gate });
  if (decision.kind === 'quarantine')
    throw rejected(
      `The org cannot be decided with the inputs in its source: ${decision.reason}.`,
      advise`No floor helps. Correct the org in the source; ${command`quarantine --dc ${dataCenter}`} says what. Then propose it again.`,
    );
  const { allotment } = decision;
  rejectOpenWindow(org, allotment, question);
  if (allotment.floor !== floor)
    throw rejected(`The rule would not keep a floor of ${show(floor)}. ${decision.because.join(' ')}`);
  return { before: org.stored, after: allotment, cardHash: rules.card.hash };
}

async function getInputs(tx: CellTransaction, { orgId, dataCenter }: OverrideQuestion): Promise<SourceOrg> {
  const source = await findSourceOrg(tx, orgId);
  if (source.kind === 'present') return source.org;
  if (source.kind === 'gone')
    throw rejected(
      `The org has left the source of data center "${dataCenter}", so its terms cannot be computed.`,
      'No floor helps: the nightly run ends its allotment. If it belongs there, put it back into the source.',
    );
  throw rejected(
    `The org has a row that cannot be read in the source of data center "${dataCenter}", so its terms cannot be computed.`,
    advise`No floor helps. Correct its row in the source; ${command`quarantine --dc ${dataCenter}`} lists such orgs with the SQLSTATE. Then propose it again.`,
  );
}

function rejectSameFloor({ floor: stored }: Allotment, floor: bigint | null): void {
  if (stored === floor) throw rejected(`The floor of the org is ${show(floor)} already.`);
}

/** Until the sweep the next run raises a floor that is below the legacy limit of the day. */
function rejectOpenWindow({ gate }: OverridableOrg, { legacyLimit }: Allotment, question: OverrideQuestion): void {
  const { floor, dataCenter } = question;
  if (gate.sweptAt !== null || (floor !== null && floor >= legacyLimit)) return;
  throw rejected(
    `The window of data center "${dataCenter}" is open: until its cut-over is swept, runs raise a floor of ` +
      `${show(floor)} to the legacy limit of ${show(legacyLimit)} again.`,
    `Give a floor of at least ${legacyLimit}, or propose it again after the sweep.`,
  );
}

async function loadRules(
  tx: CellTransaction,
  dataCenter: string,
): Promise<Pick<OrgQuestion, 'card' | 'today' | 'lapseGraceDays'>> {
  const { cell, card } = await getActiveCard(tx, dataCenter);
  return { card: fromStoredCard(card), today: cell.today, lapseGraceDays: cell.lapseGraceDays };
}

const applyFirst = (dataCenter: string): Advice => advise`Roll it out first: ${command`apply --dc ${dataCenter}`}`;

const show = (floor: bigint | null): string => (floor === null ? 'none' : formatCredits(floor));

const rejected = (message: string, next?: string | Advice): RolloutError =>
  new RolloutError('override_refused', { message, ...(next !== undefined && { next }) });
