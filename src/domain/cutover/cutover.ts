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

/** Why the cut-over cannot move to this instant, as the end of a sentence; undefined: it can. */
export function refuseMove(facts: CutoverFacts, { at, local }: CutoverTarget): string | undefined {
  const { now, cutoverAt, notBeforeAt, notBeforeLocal, gate } = facts;
  if (gate.latchedAt !== null)
    return `it happened at ${gate.latchedAt.toISOString()}, and a cut-over that was latched is never undone by a postponement; two people can reverse it (cutover reverse)`;
  if (gate.effectiveAt !== null && gate.effectiveAt <= now)
    return `it took effect at ${gate.effectiveAt.toISOString()}, and sign-ups have started on credits since`;
  if (at.getTime() === cutoverAt?.getTime()) return `${local} is its instant already`;
  if (at <= now) return `${local} is past: it is ${now.toISOString()} now`;
  if (notBeforeAt !== null && at < notBeforeAt)
    return `${local} is before rollout.notBefore, ${notBeforeLocal ?? notBeforeAt.toISOString()}`;
  return undefined;
}

/** Why a cut-over that has happened cannot be taken back for this instant, as the end of a sentence; undefined: it can. */
export function refuseReversal(
  { now, gate }: Pick<CutoverFacts, 'now' | 'gate'>,
  { at, local }: CutoverTarget,
): string | undefined {
  if (gate.latchedAt === null)
    return gate.effectiveAt !== null && gate.effectiveAt <= now
      ? 'it has taken effect and is not latched yet; a scheduler does that in moments'
      : 'it is not latched, so there is nothing to take back; postpone it instead (cutover postpone)';
  if (at <= now) return `${local} is past: it is ${now.toISOString()} now`;
  return undefined;
}

/** Why it cannot be executed now, as the end of a sentence; undefined: it can, or it was. */
export function refuseExecution(
  facts: Pick<CutoverFacts, 'now' | 'cutoverAt' | 'cutoverLocal' | 'gate'>,
  stage: string,
): string | undefined {
  const { now, cutoverLocal, gate } = facts;
  switch (nameCutover(facts)) {
    case 'none':
      return 'it has none';
    case 'planned':
      return `its instant, ${cutoverLocal ?? ''}, has not come: it is ${now.toISOString()} now`;
    case 'armed':
      return `its instant, ${gate.effectiveAt?.toISOString() ?? ''}, has not come: it is ${now.toISOString()} now`;
    case 'late':
      return stage === 'done' ? undefined : `its data center is not done (stage ${stage})`;
    default:
      return undefined;
  }
}
