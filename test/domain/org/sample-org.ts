// Orgs, gates and steps for the tests: only the fields that matter need be named.
import { DateTime } from 'luxon';
import type { Allotment } from '../../../src/domain/org/allotment.js';
import type { GateView } from '../../../src/domain/org/decide-floor.js';
import { type DecidedOrg, decideOrg, type OrgDecision, type OrgQuestion } from '../../../src/domain/org/decide-org.js';
import type { OrgInputs } from '../../../src/domain/source/org-inputs.js';
import { sampleCard } from '../rate-card/sample-card.js';

export const TODAY = '2026-02-15';
export const CREATED = new Date('2024-03-01T12:00:00Z');
export const CUTOVER = new Date('2025-10-30T00:00:00Z');

/** Before arming: the window is open and every org is before the cut-over. */
export const OPEN: GateView = { effectiveAt: null, sweptAt: null, decidedAt: null };
/** After the sweep of a cut-over. */
export const SWEPT: GateView = { effectiveAt: CUTOVER, sweptAt: new Date('2025-10-31T00:20:00Z'), decidedAt: null };

/** Standard, paid, 300 agents: G7. */
export function makeOrg(fields: Partial<OrgInputs> = {}): OrgInputs {
  return {
    edition: 'standard',
    paid: true,
    agents: 300n,
    lightAgents: 0n,
    additionalCredits: 0n,
    negotiatedLimit: null,
    createdAt: CREATED,
    duplicated: false,
    ...fields,
  };
}

/** The decision on G7 as a first decision in an open window, but for the fields named. */
export function decide(fields: Partial<OrgQuestion> = {}): OrgDecision {
  return decideOrg({
    inputs: makeOrg(),
    card: sampleCard,
    prior: null,
    gate: OPEN,
    today: TODAY,
    lapseGraceDays: 30,
    ...fields,
  });
}

export function expectDecided(decision: OrgDecision): DecidedOrg {
  if (decision.kind === 'decided') return decision;
  throw new Error(`quarantined: ${decision.reason}`);
}

/** The allotment stored by a first decision on these inputs, with what the test sets by hand. */
export function makePrior(inputs: Partial<OrgInputs> = {}, stored: Partial<Allotment> = {}): Allotment {
  return { ...expectDecided(decide({ inputs: makeOrg(inputs) })).allotment, ...stored };
}

export function addDays(date: string, days: number): string {
  const moved = DateTime.fromISO(date, { zone: 'utc' }).plus({ days }).toISODate();
  if (moved === null) throw new Error(`not a date: ${date}`);
  return moved;
}
