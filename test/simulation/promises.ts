// What a simulated calendar promises at its end. Names every promise that was broken; nothing: all were kept.
import { listLocalNights } from './local-nights.js';
import type { Plan, Simulation } from './simulate.js';
import type { DataCenter, Fact, StoredDue, World } from './world.js';

export function listBroken(plan: Plan, { world, seen, until }: Simulation): readonly string[] {
  const isCalm = plan.disturbances.length === 0 && keepsUp(plan);
  return [
    ...seen,
    ...world.dataCenters.flatMap((dc) => [
      ...checkDone(dc),
      ...checkStart(world, dc),
      ...checkNights(world, dc, until),
      ...(isCalm ? checkCalmNights(dc) : []),
      ...checkCutover(world, dc),
      ...checkSignUps(dc),
      ...checkAlarms(dc),
    ]),
  ];
}

/** Later than this after it was due is caught up. */
const CAUGHT_UP_AFTER_MS = 3_600_000;
/** What each data center may need in a day at most: its night, and the sweep of its cut-over. */
const ROUNDS_A_DAY = 2 + 4;
/** Of the shortest day, in which the clocks go forward. */
const MINUTES_A_DAY = 23 * 60;

/**
 * One maintenance at a time: with few checks, and little done at each, a day is too short for all of them. One poll
 * more, since a night may be due just after one.
 */
const keepsUp = ({ dataCenters, pace, pollMinutes }: Plan): boolean =>
  (1 + Math.ceil((dataCenters.length * ROUNDS_A_DAY) / pace)) * pollMinutes < MINUTES_A_DAY;

const checkDone = ({ id, stage }: DataCenter): readonly string[] =>
  stage === 'done' ? [] : [`${id}: is ${stage}, and not done`];

const factsOf = <K extends Fact['kind']>({ facts }: World, { id }: DataCenter, kind: K): Extract<Fact, { kind: K }>[] =>
  facts.filter((fact): fact is Extract<Fact, { kind: K }> => fact.kind === kind && fact.dataCenter === id);

function checkStart(world: World, dc: DataCenter): readonly string[] {
  const early = factsOf(world, dc, 'activated').some(({ at }) => dc.notBeforeAt !== null && at < dc.notBeforeAt);
  return early ? [`${dc.id}: began before its start date`] : [];
}

const nightsOf = ({ due }: DataCenter): readonly StoredDue[] => due.filter(({ work }) => work === 'reconcile');

/** Exactly one row per local date, due at its local time, and over as it came about. */
function checkNights(world: World, dc: DataCenter, until: Date): readonly string[] {
  if (dc.doneAt === null) return [];
  const rows = nightsOf(dc);
  const expected = listLocalNights(dc.zone, world.nightAt, dc.doneAt, until);
  const show = (date: string): string => `${dc.id}: night ${date}`;
  return [
    ...[...expected.keys()].flatMap((date) => {
      const found = rows.filter((row) => row.localDate === date).length;
      return found === 1 ? [] : [`${show(date)} has ${found} rows`];
    }),
    ...rows.flatMap((row) => {
      const at = expected.get(row.localDate);
      if (at === undefined) return [`${show(row.localDate)} is not one of the zone's`];
      return at.getTime() === row.dueAt.getTime() ? [] : [`${show(row.localDate)} is due at another time`];
    }),
    ...rows.flatMap((row) => checkEnd(world, dc, row).map((what) => `${show(row.localDate)} ${what}`)),
  ];
}

function checkEnd(world: World, dc: DataCenter, row: StoredDue): readonly string[] {
  const runs = factsOf(world, dc, 'night').filter(({ localDate }) => localDate === row.localDate);
  const [run] = runs;
  if (row.insertedAt < row.dueAt) return ['was written before its time'];
  if (row.state === 'missed') return runs.length === 0 ? [] : ['is missed, and ran'];
  if (row.state !== 'ran' && row.state !== 'caught_up') return [`is ${row.state} at the end`];
  if (run === undefined || runs.length > 1) return [`ended well after ${runs.length} runs`];
  const late = run.at.getTime() - row.dueAt.getTime();
  if (late < 0) return ['ran before its time'];
  return late > CAUGHT_UP_AFTER_MS === (row.state === 'caught_up') ? [] : [`is ${row.state} after ${late} ms`];
}

/** Where nothing went wrong, and there is time for all, none is missed. */
const checkCalmNights = (dc: DataCenter): readonly string[] =>
  nightsOf(dc)
    .filter(({ state }) => state === 'missed')
    .map(({ localDate }) => `${dc.id}: night ${localDate} was missed without a reason`);

/** Not early, not lost, once, and of a data center that was done. */
function checkCutover(world: World, dc: DataCenter): readonly string[] {
  const latches = factsOf(world, dc, 'latched');
  const { gate, missing } = dc.cell;
  return [
    ...(dc.cutoverAt !== null && latches.length !== 1 ? [`${dc.id}: cut over ${latches.length} times`] : []),
    ...(dc.cutoverAt !== null && gate.sweptAt === null ? [`${dc.id}: never swept`] : []),
    ...(dc.cutoverAt !== null && missing > 0 ? [`${dc.id}: ${missing} sign-ups were missed`] : []),
    ...latches.flatMap(({ cellAt, effectiveAt, configuredAt, stage }) => [
      ...(cellAt < effectiveAt || effectiveAt < configuredAt ? [`${dc.id}: cut over early`] : []),
      ...(configuredAt.getTime() === dc.cutoverAt?.getTime()
        ? []
        : [`${dc.id}: cut over at an instant that was moved`]),
      ...(stage === 'done' ? [] : [`${dc.id}: cut over while ${stage}`]),
    ]),
  ];
}

/** None on credits before the instant, none on legacy from it on. */
function checkSignUps({ id, cutoverAt, cell: { signUps, gate } }: DataCenter): readonly string[] {
  const instant = gate.latchedAt === null ? null : gate.effectiveAt;
  const early = signUps.filter(({ at, model }) => model === 'credits' && (instant === null || at < instant));
  const late = signUps.filter(({ at, model }) => model === 'legacy' && instant !== null && at >= instant);
  const before = signUps.filter(({ at, model }) => model === 'credits' && (cutoverAt === null || at < cutoverAt));
  return [
    ...(early.length > 0 ? [`${id}: ${early.length} sign-ups on credits before the instant`] : []),
    ...(late.length > 0 ? [`${id}: ${late.length} sign-ups on legacy after the instant`] : []),
    ...(before.length > 0 ? [`${id}: ${before.length} sign-ups on credits before the configured instant`] : []),
  ];
}

/** At most one of each, in time, and none that only repeats that all is well after it was not. */
function checkAlarms({ id, due }: DataCenter): readonly string[] {
  const rows = due.filter(({ work }) => work !== 'reconcile');
  const keys = rows.map(({ work, localDate }) => `${work} ${localDate}`);
  return [
    ...(new Set(keys).size < keys.length ? [`${id}: an alarm came twice`] : []),
    ...(rows.some(({ insertedAt, dueAt }) => insertedAt < dueAt) ? [`${id}: an alarm came early`] : []),
    ...(rows.some(({ note }) => note === null) ? [`${id}: an alarm has no text`] : []),
  ];
}
