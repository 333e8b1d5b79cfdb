// A schedule: where it begins, and what happens one after the other. Small numbers shrink to the plainest happening.
import fc from 'fast-check';

/** In the order in which they shrink; the number says how often each comes. */
const HAPPENINGS = [
  ['step', 40],
  ['wait', 10],
  ['together', 8],
  ['edit', 5],
  ['signUp', 5],
  ['feed', 3],
  ['apply', 2],
  ['pause', 2],
  ['resume', 3],
  ['abort', 1],
  ['retry', 2],
  ['approve', 2],
  ['freeze', 2],
  ['unfreeze', 2],
  ['undo', 2],
  ['cutover', 3],
  ['kill', 4],
  ['killCommitted', 2],
  ['loseAnswer', 4],
  ['cutOff', 3],
  ['reconnect', 2],
  ['loseQueue', 1],
  ['repeatQueue', 2],
  ['check', 3],
  ['jump', 2],
  ['instant', 2],
  ['suspend', 3],
  ['overtake', 3],
  ['restart', 2],
  ['failOver', 3],
  ['restore', 2],
  ['restoreControl', 1],
  ['policy', 1],
] as const satisfies readonly (readonly [string, number])[];

export type HappeningKind = (typeof HAPPENINGS)[number][0];

export const happeningKinds: readonly HappeningKind[] = HAPPENINGS.map(([kind]) => kind);

export interface Happening {
  readonly kind: HappeningKind;
  /** Whom or where it concerns, counted round. */
  readonly who: number;
  readonly much: number;
}

export interface Schedule {
  /** Which of the beginnings. */
  readonly from: number;
  /** In the end everything works again, and whoever waits must go on; below 6 until nothing moves; 0: and a night. */
  readonly calm: number;
  readonly happenings: readonly Happening[];
}

const BY_WEIGHT = HAPPENINGS.flatMap(([kind, weight]) => Array.from({ length: weight }, () => kind));
const WHO = 8;
const MUCH = 64;

/** One number for each happening: made and shrunk faster than a record. */
const happening: fc.Arbitrary<Happening> = fc.nat({ max: BY_WEIGHT.length * WHO * MUCH - 1 }).map((number) => ({
  kind: BY_WEIGHT[Math.floor(number / (WHO * MUCH))] ?? 'step',
  who: Math.floor(number / MUCH) % WHO,
  much: number % MUCH,
}));

/**
 * How often each beginning comes: rarely those after which two whole rollouts are left to be done in the calm, which
 * cost twenty times what is left after the last stages.
 */
const BEGINNINGS = [1, 2, 2, 2, 2, 5, 5, 5, 4, 5, 5] as const;
const BEGINNING_BY_WEIGHT = BEGINNINGS.flatMap((weight, n) => Array.from({ length: weight }, () => n));
const CALMS = 16;

/** On average half as many: several things must come together in what is hard to find. */
const MOST = 32;

/** Schedules of up to so many happenings. Small numbers are no more likely than others: the weights say how often. */
export const anySchedule = (most = MOST): fc.Arbitrary<Schedule> =>
  fc.noBias(
    fc.record({
      from: fc.constantFrom(...BEGINNING_BY_WEIGHT),
      calm: fc.nat({ max: CALMS - 1 }),
      happenings: fc.array(happening, { minLength: 1, maxLength: most, size: 'max' }),
    }),
  );

/** As a script that a person reads, and that `--replay` takes back. */
export const writeScript = ({ from, calm, happenings }: Schedule): string =>
  [`from ${from} ${calm}`, ...happenings.map(({ kind, who, much }) => `${kind} ${who} ${much}`)].join(', ');

export function readScript(script: string): Schedule {
  const [from = 'from 0', ...lines] = script.split(',').map((line) => line.trim());
  const happenings = lines.map((line): Happening => {
    const [kind, who, much] = line.split(' ');
    const known = HAPPENINGS.find(([name]) => name === kind)?.[0];
    if (known === undefined) throw new Error(`no happening is called "${kind}"`);
    return { kind: known, who: Number(who), much: Number(much) };
  });
  const [, begin, calm] = from.split(' ').map(Number);
  return { from: begin ?? 0, calm: calm ?? 1, happenings };
}
