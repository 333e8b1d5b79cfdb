// The state of a data center's cut-over, and why it cannot be moved, reversed or executed now. Pure.
import { type Advice, advise, command } from '../../kernel/advice.js';
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
 * `planned`: before its instant, the gate is not armed. `late`: after its instant, the gate is not armed. `due`:
 * sign-ups start on credits, and it is not latched yet. `latched`: it is not swept yet.
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

/** Why a cut-over cannot be moved, reversed or executed. */
export interface CutoverRejection {
  /** The end of a sentence. */
  readonly why: string;
  /** How to fix it; `ID` is the place of the data center's id. */
  readonly next: string | Advice;
}

const LATER = 'Name a later one with --to.';
const POSTPONE = command('cutover postpone --dc ID --to WHEN --reason TEXT');
const EXECUTE = command('cutover execute --dc ID --execute --reason TEXT');
const REVERSE = command('cutover reverse --dc ID --to WHEN --reason TEXT');

/** Why the cut-over cannot move to this instant; undefined: it can. */
export function rejectMove(facts: CutoverFacts, { at, local }: CutoverTarget): CutoverRejection | undefined {
  const { now, cutoverAt, notBeforeAt, notBeforeLocal, gate } = facts;
  if (gate.latchedAt !== null)
    return {
      why: `it happened at ${gate.latchedAt.toISOString()}, and a cut-over that is final (latched) cannot be postponed`,
      next: advise`Two people can reverse it: ${REVERSE}`,
    };
  if (gate.effectiveAt !== null && gate.effectiveAt <= now)
    return {
      why: `it took effect at ${gate.effectiveAt.toISOString()}, and sign-ups have started on credits since`,
      next: advise`When it is final (latched), two people can reverse it: ${REVERSE}`,
    };
  if (at.getTime() === cutoverAt?.getTime())
    return { why: `${local} is already its instant`, next: 'Name another one with --to.' };
  if (at <= now) return { why: `${local} is past: it is ${now.toISOString()} now`, next: LATER };
  if (notBeforeAt !== null && at < notBeforeAt)
    return { why: `${local} is before rollout.notBefore, ${notBeforeLocal ?? notBeforeAt.toISOString()}`, next: LATER };
  return undefined;
}

/** Why a cut-over cannot be reversed, with this as its next instant; undefined: it can. */
export function rejectReversal(
  { now, gate }: Pick<CutoverFacts, 'now' | 'gate'>,
  { at, local }: CutoverTarget,
): CutoverRejection | undefined {
  if (gate.latchedAt === null)
    return gate.effectiveAt !== null && gate.effectiveAt <= now
      ? {
          why: 'it has taken effect and is not final (latched) yet; a scheduler makes it final within seconds',
          next: advise`Run the command again; if no scheduler runs, first run: ${EXECUTE}`,
        }
      : {
          why: 'it is not final (latched), so there is nothing to reverse',
          next: advise`Postpone it instead: ${POSTPONE}`,
        };
  if (at <= now) return { why: `${local} is past: it is ${now.toISOString()} now`, next: LATER };
  return undefined;
}

/** Why it cannot be executed now; undefined: it can, or it was. */
export function rejectExecution(
  facts: Pick<CutoverFacts, 'now' | 'cutoverAt' | 'cutoverLocal' | 'gate'>,
  stage: string,
): CutoverRejection | undefined {
  const { now, cutoverAt, cutoverLocal, gate } = facts;
  const early = (instant: string): CutoverRejection => ({
    why: `its instant, ${instant}, has not come: it is ${now.toISOString()} now`,
    next: advise`Wait for it, or move it: ${POSTPONE}`,
  });
  switch (nameCutover(facts)) {
    case 'none':
      return {
        why: 'it has no instant',
        next: advise`Set signups.cutover before the first apply; after it: ${POSTPONE}`,
      };
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
        : {
            why: `its data center is not done (stage ${stage})`,
            next: advise`See what it waits for: ${command('status')}`,
          };
    default:
      return undefined;
  }
}
