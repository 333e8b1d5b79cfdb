// `calendar` for people and for programs: one page per data center, its one-off instants first, then its events in
// order.
import type { CalendarEvent, EventKind } from '../../domain/calendar/calendar-event.js';
import type { CalendarPage } from '../../domain/calendar/lay-out-calendar.js';
import type { Calendar } from '../../engine/operate/read-calendar.js';
import { formatAdvice } from '../../kernel/advice.js';
import type { CommandNames } from '../terminal/command-names.js';
import { displayWidth } from '../terminal/display-width.js';
import { showInstant } from '../terminal/numbers.js';
import type { Paint } from '../terminal/paint.js';
import { layOutRows } from '../terminal/table.js';

interface CalendarView {
  readonly commands: Pick<CommandNames, 'showAdvice'>;
  readonly paint: Paint;
  width(): number;
}

const WORDS: Readonly<Record<EventKind, string>> = {
  not_before: 'start date',
  start: 'starts',
  pause_ends: 'pause ends',
  bake_ends: 'bake ends',
  cutover: 'cut-over',
  alarm_48h: 'alarm 48 h before',
  alarm_2h: 'alarm 2 h before',
  night: 'nightly run',
  window_opens: 'window opens',
  window_closes: 'window closes',
  clock_change: 'clocks change',
};

const STATES: Readonly<Record<CalendarEvent['state'], string>> = {
  past: '',
  to_come: '',
  due_now: 'due now',
  due: 'due now',
  running: 'runs',
  ran: 'ran',
  caught_up: 'caught up',
  missed: 'missed',
};

const COLUMNS = [{ title: 'LOCAL', kept: 'whole' }, { title: 'UTC', kept: 'whole' }, { title: 'WHAT' }] as const;

export function showCalendar({ at, pinned, pages }: Calendar, view: CalendarView): string {
  const source = pinned ? 'instants as the first apply pinned them' : 'not pinned before the first apply';
  return [...pages.flatMap((page) => [...showPage(page, view), '']), `As of ${showInstant(at)} · ${source}`].join('\n');
}

function showPage(page: CalendarPage, { paint, commands, width }: CalendarView): readonly string[] {
  const { id, zone, stage, after, blockedBy, period } = page;
  const outside = page.oneOffs.filter(({ at }) => at < period.from || at >= period.to);
  const table = (events: readonly CalendarEvent[]): readonly string[] =>
    showEvents(foldEqual(events), commands, width() - 4).map((line) => `    ${line}`);
  return [
    paint(`${id}  ${zone}  ${stage}`, 'bold'),
    ...(after.length === 0 ? [] : [`    waits for: ${after.join(', ')}`]),
    ...blockedBy.map((reason) => `    held: ${reason}`),
    ...(outside.length === 0 ? [] : ['    Before or after:', ...table(outside).slice(1)]),
    ...(page.events.length === 0 ? ['    Nothing happens in this period.'] : table(page.events)),
  ];
}

/** Events that differ in nothing but their day, as one. */
interface FoldedEvent extends CalendarEvent {
  /** How often it happens, and when for the last time. */
  readonly times: number;
  readonly last: CalendarEvent;
}

const FEWEST_FOLDED = 3;

/** In the place of the first of each. */
function foldEqual(events: readonly CalendarEvent[]): readonly FoldedEvent[] {
  const groups = new Map<string, CalendarEvent[]>();
  for (const event of events) {
    const { kind, local, offset, state, note, earliest } = event;
    const key = JSON.stringify([kind, local.slice(11), offset, state, note, earliest]);
    groups.set(key, [...(groups.get(key) ?? []), event]);
  }
  return [...groups.values()]
    .flatMap((group) => (group.length < FEWEST_FOLDED ? group.map((one) => [one]) : [group]))
    .flatMap((group) => {
      const [first, last] = [group[0], group.at(-1)];
      return first === undefined || last === undefined ? [] : [{ ...first, times: group.length, last }];
    })
    .toSorted((a, b) => a.at.getTime() - b.at.getTime());
}

const DAY_MS = 86_400_000;

/** `, every day until 2026-12-14`; where days are left out, how often. */
function showTimes({ times, at, last }: FoldedEvent): string {
  if (times === 1) return '';
  const days = Math.round((last.at.getTime() - at.getTime()) / DAY_MS) + 1;
  return `, ${times === days ? 'every day' : `${times} times`} until ${last.local.slice(0, 10)}`;
}

const toRow = (event: FoldedEvent): readonly string[] => [
  `${event.local.slice(0, secondsMatter(event.at) ? 19 : 16).replace('T', ' ')} ${event.offset}`,
  `${event.at
    .toISOString()
    .slice(0, secondsMatter(event.at) ? 19 : 16)
    .replace('T', ' ')}Z`,
  `${WORDS[event.kind]}${event.earliest ? ', at the earliest' : ''}${showTimes(event)}`,
];

const showNote = ({ state, note }: CalendarEvent, commands: CalendarView['commands']): string =>
  [STATES[state], commands.showAdvice(note ?? '')].filter((part) => part !== '').join(': ');

/** A note stands behind its event, or below it where the line would be too long: a command in it stays whole. */
function showEvents(
  events: readonly FoldedEvent[],
  commands: CalendarView['commands'],
  width: number,
): readonly string[] {
  const { titles, rows } = layOutRows(COLUMNS, events.map(toRow), width);
  const longest = Math.max(...rows.map(([first = '']) => displayWidth(first)));
  return [
    ...titles,
    ...rows.flatMap(([first = '', ...others], index) => {
      const event = events[index];
      const note = event === undefined ? '' : showNote(event, commands);
      const line = note === '' ? first : `${first}${' '.repeat(longest - displayWidth(first))}  ${note}`;
      return displayWidth(line) <= width ? [line, ...others] : [first, ...others, `    ${note}`];
    }),
  ];
}

const secondsMatter = (at: Date): boolean => at.getTime() % 60_000 !== 0;

export function calendarDocument({ at, pinned, pages }: Calendar): Readonly<Record<string, unknown>> {
  return {
    at,
    pinned,
    dataCenters: pages.map(({ id, period, ...page }) => ({
      dataCenter: id,
      ...page,
      oneOffs: page.oneOffs.map(toDocument),
      events: page.events.map(toDocument),
      from: period.from,
      to: period.to,
    })),
  };
}

const toDocument = ({ note, ...event }: CalendarEvent): Readonly<Record<string, unknown>> => ({
  ...event,
  note: note && formatAdvice(note),
});
