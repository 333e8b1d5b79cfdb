// Lays out what would happen when in every data center, from facts and a time. Pure; nothing is done by it.
import { advise, command } from '../../kernel/advice.js';
import { HOLDS } from '../rollout/hold.js';
import { SLOT_STAGES } from '../rollout/stage.js';
import { describeClockChange, listClockChanges } from '../time/clock-changes.js';
import { describeNeverOpen, findFirstOpening } from '../windows/first-opening.js';
import { type CalendarEvent, type CalendarFacts, createEvent, EVENT_KINDS, type OneOff } from './calendar-event.js';
import { listAlarms } from './decide-alarms.js';
import { type Forecast, forecastRollout } from './forecast.js';
import { layOutNights } from './lay-out-nights.js';
import { layOutWindows } from './lay-out-windows.js';
import type { Period } from './period.js';
import { readStoredNote } from './undecidable.js';

/** The calendar of one data center. */
export interface CalendarPage {
  readonly id: string;
  readonly zone: string;
  readonly stage: CalendarFacts['stage'];
  readonly period: Period;
  /** Data centers that it waits for. */
  readonly after: readonly string[];
  /** Why it is held now, and what will hold it, in words. */
  readonly blockedBy: readonly string[];
  /** Its one-off instants, wherever they lie. */
  readonly oneOffs: readonly CalendarEvent[];
  /** Everything within the period, oldest first. */
  readonly events: readonly CalendarEvent[];
}

/** One page per data center, in rollout order. Throws invalid_instant, invalid_zone. */
export function layOutCalendar(
  facts: readonly CalendarFacts[],
  now: Date,
  period: (dc: CalendarFacts) => Period,
): readonly CalendarPage[] {
  const forecasts = forecastRollout(facts, now);
  return facts
    .toSorted((a, b) => a.position - b.position)
    .map((dc) => layOutPage(dc, forecasts.get(dc.id) ?? { after: [], startAt: null, doneAt: null }, now, period(dc)));
}

function layOutPage(dc: CalendarFacts, forecast: Forecast, now: Date, period: Period): CalendarPage {
  const oneOffs = [
    ...layOutPause(dc, now),
    ...layOutStart(dc, forecast, now),
    ...layOutBake(dc, forecast, now),
    ...layOutCutover(dc, forecast, now),
    ...layOutAlarms(dc, now),
  ].toSorted(inTime);
  const changes = listClockChanges(dc.zone, period.from, period.to).map((change) =>
    createEvent(dc.zone, {
      kind: 'clock_change',
      at: change.at,
      state: change.at <= now ? 'past' : 'to_come',
      note: describeClockChange(change),
    }),
  );
  const events = [
    ...oneOffs.filter(({ at }) => at >= period.from && at < period.to),
    ...layOutNights(dc, period, { doneAt: forecast.doneAt, now }),
    ...layOutWindows(dc, period, now),
    ...changes.filter(({ at }) => at < period.to),
  ].toSorted(inTime);
  const { id, zone, stage } = dc;
  return { id, zone, stage, period, after: forecast.after, blockedBy: listBlocks(dc, now), oneOffs, events };
}

const inTime = (a: CalendarEvent, b: CalendarEvent): number =>
  a.at.getTime() - b.at.getTime() || EVENT_KINDS.indexOf(a.kind) - EVENT_KINDS.indexOf(b.kind);

const hasBegun = ({ stage, doneAt }: CalendarFacts): boolean =>
  doneAt !== null || stage === 'done' || stage === 'baking' || SLOT_STAGES.includes(stage);

const layOutPause = ({ zone, pausedUntil }: CalendarFacts, now: Date): readonly CalendarEvent[] =>
  pausedUntil === null
    ? []
    : [createEvent(zone, { kind: 'pause_ends', at: pausedUntil, state: pausedUntil <= now ? 'due_now' : 'to_come' })];

function layOutStart(dc: CalendarFacts, { startAt, after }: Forecast, now: Date): readonly CalendarEvent[] {
  const { zone, notBefore } = dc;
  const passed = notBefore !== null && notBefore.at <= now;
  const begun = hasBegun(dc);
  const configured =
    notBefore === null
      ? []
      : [
          createEvent(zone, {
            kind: 'not_before',
            at: notBefore.at,
            state: !passed ? 'to_come' : begun ? 'past' : 'due_now',
            note: passed && !begun ? 'it has passed' : null,
          }),
        ];
  if (startAt === null) return configured;
  const waits = after.length === 0 ? null : `after ${after.join(', ')}`;
  const asked = advise`once it is requested: ${command`apply --dc ${dc.id} --execute`}`;
  return [
    ...configured,
    createEvent(zone, {
      kind: 'start',
      at: startAt,
      state: startAt <= now ? 'due_now' : 'to_come',
      earliest: true,
      note: dc.requested ? waits : [...(waits === null ? [] : [`${waits}; `]), ...asked],
    }),
  ];
}

function layOutBake(dc: CalendarFacts, { doneAt }: Forecast, now: Date): readonly CalendarEvent[] {
  const { zone, stage, bakeUntil, bakeMs } = dc;
  if (stage === 'done' || doneAt === null) return [];
  const at = stage === 'baking' ? (bakeUntil ?? now) : doneAt;
  if (stage !== 'baking' && bakeMs === 0) return [];
  const state = at <= now ? 'due_now' : 'to_come';
  return [createEvent(zone, { kind: 'bake_ends', at, state, earliest: stage !== 'baking' })];
}

function layOutCutover(dc: CalendarFacts, forecast: Forecast, now: Date): readonly CalendarEvent[] {
  const { zone, gate, cutover } = dc;
  if (gate.latchedAt !== null) {
    const swept =
      gate.sweptAt === null
        ? 'its sweep, the check of every earlier org, has not ended'
        : `every earlier org was checked at ${gate.sweptAt.toISOString()}`;
    const note = `final since ${gate.latchedAt.toISOString()}; ${swept}`;
    return [createEvent(zone, { kind: 'cutover', at: gate.effectiveAt ?? gate.latchedAt, state: 'past', note })];
  }
  if (cutover === null) return [];
  return [
    createEvent(zone, {
      kind: 'cutover',
      at: gate.effectiveAt !== null && !isMoved(dc, cutover) ? gate.effectiveAt : cutover.at,
      state: cutover.at <= now ? 'due_now' : 'to_come',
      ...judgeCutover(dc, cutover, forecast, now),
    }),
  ];
}

/** Postponed, and its cell does not know it yet. */
const isMoved = ({ gate }: CalendarFacts, cutover: OneOff): boolean =>
  gate.configuredAt !== null && gate.configuredAt.getTime() !== cutover.at.getTime();

function judgeCutover(
  { gate }: CalendarFacts,
  { at }: OneOff,
  { doneAt }: Forecast,
  now: Date,
): { readonly earliest: boolean; readonly note: string } {
  const passed = at <= now ? 'it has passed; ' : '';
  if (gate.effectiveAt !== null) return { earliest: false, note: `${passed}it takes effect by itself` };
  if (doneAt === null)
    return { earliest: true, note: `${passed}it will not be ready: nothing that is requested makes its rollout done` };
  return doneAt > at
    ? { earliest: true, note: `${passed}not before it is done, at the earliest ${doneAt.toISOString()}` }
    : { earliest: true, note: `${passed}once it is done` };
}

function layOutAlarms(dc: CalendarFacts, now: Date): readonly CalendarEvent[] {
  const { cutover, gate, zone } = dc;
  const rows = dc.rows.flatMap((row) =>
    row.work === 'reconcile'
      ? []
      : [
          createEvent(zone, {
            kind: row.work,
            at: row.dueAt,
            state: row.state,
            note: row.note && readStoredNote(row.note, dc.id),
          }),
        ],
  );
  if (cutover === null) return rows;
  const due = listAlarms(gate).map(({ work, beforeMs }) => ({
    kind: work,
    at: new Date(cutover.at.getTime() - beforeMs),
  }));
  const coming = due.filter(({ at }) => at > now);
  return [
    ...rows,
    ...coming.map((alarm) =>
      createEvent(zone, { ...alarm, state: 'to_come', note: 'raised only if the cut-over will not be ready' }),
    ),
  ];
}

/** An instant is not: a calendar shows those in their place. */
const isTelling = (value: string | null): boolean => value !== null && !/^\d{4}-\d\d-\d\dT.*Z$/u.test(value);

function listBlocks(dc: CalendarFacts, now: Date): readonly string[] {
  const closed = findFirstOpening(dc.windows, dc.zone, now) === null;
  return [
    ...(closed ? [`its windows never open: ${describeNeverOpen(dc.windows)}`] : []),
    ...dc.holds.map(({ code, value }) => `${HOLDS[code].meaning}${isTelling(value) ? ` (${value})` : ''}`),
  ];
}
