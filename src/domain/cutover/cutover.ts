// Where the cut-over of a data center is, and what may still be done about it: facts and times in, words out. Pure.
import type { GateReading } from '../rollout/snapshot.js';

export interface CutoverFacts {
  /** The later of control's and the cell's clock. */
  readonly now: Date;
  readonly cutoverAt: Date | null;
  readonly cutoverLocal: string | null;
  readonly notBeforeAt: Date | null;
  readonly notBeforeLocal: string | null;
  readonly gate: GateReading;
}

export const CUTOVER_STATES = ['none', 'planned', 'late', 'armed', 'due', 'latched', 'swept'] as const;
/**
 * `planned`: its instant is to come, its gate is not armed; `late`: it has come without that; `due`: sign-ups start on
 * credits, the latch is to come; `latched`: the sweep is to come.
 */
export type CutoverState = (typeof CUTOVER_STATES)[number];

export function nameCutover({
  now,
  cutoverAt,
  gate,
}: Omit<CutoverFacts, 'notBeforeAt' | 'notBeforeLocal'>): CutoverState {
  if (gate.sweptAt !== null) return 'swept';
  if (gate.latchedAt !== null) return 'latched';
  if (gate.effectiveAt !== null) return gate.effectiveAt <= now ? 'due' : 'armed';
  if (cutoverAt === null) return 'none';
  return cutoverAt <= now ? 'late' : 'planned';
}

/** Where a cut-over is to move. */
export interface CutoverTarget {
  readonly at: Date;
  /** What a clock in the zone shows then, with the zone. */
  readonly local: string;
}

/** Why something cannot be done with a cut-over. */
export interface CutoverRefusal {
  /** The end of a sentence. */
  readonly why: string;
  /** The way out; `ID` stands for the data center. */
  readonly next: string;
}

const LATER = 'Name a later one with --to.';
const POSTPONE = 'credit-rollout cutover postpone --dc ID --to WHEN --reason TEXT';
const EXECUTE = 'credit-rollout cutover execute --dc ID --execute --reason TEXT';
const REVERSE = 'credit-rollout cutover reverse --dc ID --to WHEN --reason TEXT';

/** Why the cut-over cannot move to this instant; undefined: it can. */
export function rejectMove(facts: CutoverFacts, { at, local }: CutoverTarget): CutoverRefusal | undefined {
  const { now, cutoverAt, notBeforeAt, notBeforeLocal, gate } = facts;
  if (gate.latchedAt !== null)
    return {
      why: `it happened at ${gate.latchedAt.toISOString()}, and a cut-over that was latched is never undone by a postponement`,
      next: `Two people can take it back: ${REVERSE}`,
    };
  if (gate.effectiveAt !== null && gate.effectiveAt <= now)
    return {
      why: `it took effect at ${gate.effectiveAt.toISOString()}, and sign-ups have started on credits since`,
      next: `Once it is latched two people can take it back: ${REVERSE}`,
    };
  if (at.getTime() === cutoverAt?.getTime())
    return { why: `${local} is its instant already`, next: 'Name another one with --to.' };
  if (at <= now) return { why: `${local} is past: it is ${now.toISOString()} now`, next: LATER };
  if (notBeforeAt !== null && at < notBeforeAt)
    return { why: `${local} is before rollout.notBefore, ${notBeforeLocal ?? notBeforeAt.toISOString()}`, next: LATER };
  return undefined;
}

/** Why a cut-over that has happened cannot be taken back for this instant; undefined: it can. */
export function rejectReversal(
  { now, gate }: Pick<CutoverFacts, 'now' | 'gate'>,
  { at, local }: CutoverTarget,
): CutoverRefusal | undefined {
  if (gate.latchedAt === null)
    return gate.effectiveAt !== null && gate.effectiveAt <= now
      ? {
          why: 'it has taken effect and is not latched yet; a scheduler does that in moments',
          next: `Run the command again; without a scheduler first: ${EXECUTE}`,
        }
      : { why: 'it is not latched, so there is nothing to take back', next: `Postpone it instead: ${POSTPONE}` };
  if (at <= now) return { why: `${local} is past: it is ${now.toISOString()} now`, next: LATER };
  return undefined;
}

/** Why it cannot be executed now; undefined: it can, or it was. */
export function rejectExecution(
  facts: Pick<CutoverFacts, 'now' | 'cutoverAt' | 'cutoverLocal' | 'gate'>,
  stage: string,
): CutoverRefusal | undefined {
  const { now, cutoverAt, cutoverLocal, gate } = facts;
  const early = (instant: string): CutoverRefusal => ({
    why: `its instant, ${instant}, has not come: it is ${now.toISOString()} now`,
    next: `Wait for it, or move it: ${POSTPONE}`,
  });
  switch (nameCutover(facts)) {
    case 'none':
      return { why: 'it has none', next: `Set signups.cutover before the first apply; after it: ${POSTPONE}` };
    case 'planned':
      return early(cutoverLocal ?? '');
    case 'armed':
      return early(
        (cutoverAt?.getTime() === gate.effectiveAt?.getTime() ? cutoverLocal : null) ??
          gate.effectiveAt?.toISOString() ??
          '',
      );
    case 'late':
      return stage === 'done'
        ? undefined
        : { why: `its data center is not done (stage ${stage})`, next: 'What it waits for: credit-rollout status' };
    default:
      return undefined;
  }
}
