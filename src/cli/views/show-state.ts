// The state of a data center as people and as programs read it: icon and word, its holds, and the JSON document of a
// status. A word is always beside an icon.

import { listFittingVerbs } from '../../domain/rollout/fitting-verbs.js';
import { HOLDS } from '../../domain/rollout/hold.js';
import { LONG_PAUSE_MS } from '../../domain/rollout/pause-end.js';
import type { SplitDuration } from '../../domain/rollout/split-duration.js';
import { formatDuration } from '../../domain/time/duration.js';
import type { DataCenterStatus, Status, StatusHold } from '../../engine/operate/read-status.js';
import { command } from '../../kernel/advice.js';
import { showName } from '../../kernel/printable.js';
import type { CommandNames } from '../terminal/command-names.js';
import { showInstant, showRange } from '../terminal/numbers.js';
import type { Tone } from '../terminal/paint.js';
import { cutDocument } from './show-audit-cut.js';
import { fallsDocument } from './show-reconcile.js';

const ICONS: Readonly<Record<string, { readonly icon: string; readonly tone: Tone }>> = {
  done: { icon: '✔', tone: 'green' },
  failed: { icon: '✖', tone: 'red' },
  aborted: { icon: '■', tone: 'yellow' },
  aborting: { icon: '■', tone: 'yellow' },
  paused: { icon: '‖', tone: 'yellow' },
  pausing: { icon: '‖', tone: 'yellow' },
  waiting: { icon: '◷', tone: 'dim' },
  baking: { icon: '◷', tone: 'cyan' },
  pending: { icon: '·', tone: 'dim' },
  undone: { icon: '↶', tone: 'yellow' },
};
const RUNNING = { icon: '▶', tone: 'cyan' } as const;

/** The stage where it runs, else the state: migrating, paused, waiting, done. */
export const nameWord = (dc: Pick<DataCenterStatus, 'state' | 'stage'>): string =>
  dc.state === 'running' ? dc.stage : dc.state;

export function findIcon(word: string): { readonly icon: string; readonly tone: Tone } {
  return ICONS[word] ?? RUNNING;
}

/** "an earlier data center is not done (eu), since …; it starts by itself". */
export function showHold(
  hold: StatusHold,
  { zone, freeze, pause }: Pick<DataCenterStatus, 'zone' | 'freeze' | 'pause'>,
  commands: CommandNames,
): string {
  const release = commands.showRelease(hold.release);
  if (hold.code === 'paused' && pause !== null)
    return pause.until === null
      ? `${showPause(pause, zone)}; to continue: ${release}`
      : `${showPause(pause, zone)}; it goes on by itself, or sooner: ${release}`;
  const way = hold.release.kind === 'waits' ? release : `to continue: ${release}`;
  const what = hold.code === 'frozen' && freeze !== null ? showFreeze(freeze, zone) : showMeasured(hold, zone);
  return `${what}; ${way}`;
}

const INSTANT = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/u;
const readable = (measure: string): string => (INSTANT.test(measure) ? showInstant(new Date(measure)) : measure);

/** What a value and its limit mean, code by code; undefined: the sentence of the hold says it. */
const MEASURES: Readonly<Partial<Record<StatusHold['code'], (value: string, limit: string) => string | undefined>>> = {
  no_scheduler: () => undefined,
  no_worker: () => undefined,
  bake_query: () => undefined,
  canary_wait: (left, all) => `${left} left of ${all}`,
  stalled: (idle) => `for ${idle}`,
  throttled: (value, limit) => `${value} of ${limit}`,
  check_failed: (value, limit) => `${value} of ${limit}`,
  no_data: (value) => value,
  not_before: showEnd,
  baking: showEnd,
  cutover_late: (_, due) => `due ${readable(due)}`,
  window_closed: (why, opens) => (opens === '' ? why : `${why}, opens ${readable(opens)}`),
  gate_busy: (session, since) => (since === '' ? session : `${session}, open since ${readable(since)}`),
};

/** Their value is the present moment: what is left says more. */
function showEnd(now: string, until: string): string {
  const left = INSTANT.test(now) && INSTANT.test(until) ? Date.parse(until) - Date.parse(now) : undefined;
  return `until ${readable(until)}${left === undefined ? '' : `, ${formatDuration(left)} left`}`;
}

function measureHold({ code, value, limit }: StatusHold): string {
  if (value === null && limit === null) return '';
  const words = MEASURES[code];
  const shown =
    words === undefined
      ? [value, limit === null ? null : `limit ${readable(limit)}`].filter((part) => part !== null).map(readable)
      : [words(value ?? '', limit ?? '')].filter((part) => part !== undefined);
  return inBrackets(shown);
}

const showMeasured = (hold: StatusHold, zone: string): string =>
  `${HOLDS[hold.code].meaning}${measureHold(hold)}, since ${showInstant(hold.since, zone)}`;

function inBrackets(parts: readonly (string | null)[]): string {
  const shown = parts.filter((part) => part !== null);
  return shown.length === 0 ? '' : ` (${shown.join(', ')})`;
}

/** From the row in the cell: who froze it, and why. */
function showFreeze({ since, by, reason }: NonNullable<DataCenterStatus['freeze']>, zone: string): string {
  const why = reason === null ? '' : ` (${reason})`;
  return `${HOLDS.frozen.meaning}, since ${showInstant(since, zone)} by ${showName(by)}${why}`;
}

/** "an operator paused it, since … by ana (deploy), until …". */
function showPause({ since, by, reason, until }: NonNullable<DataCenterStatus['pause']>, zone: string): string {
  const from = since === null ? '' : `, since ${showInstant(since, zone)}`;
  const why = reason === null ? '' : ` (${reason})`;
  const end = until === null ? '' : `, until ${showInstant(until, zone)}`;
  return `${HOLDS.paused.meaning}${from}${by === null ? '' : ` by ${showName(by)}`}${why}${end}`;
}

/** "until 2026-11-22 16:00 UTC; then it goes on by itself". */
export const showPauseEnd = ({ until }: NonNullable<DataCenterStatus['pause']>): string =>
  until === null ? 'until somebody resumes it' : `until ${showInstant(until)}; then it goes on by itself`;

/** A pause that may be forgotten. */
export function listLongPause(dc: DataCenterStatus, at: Date, commands: CommandNames): readonly string[] {
  const { id, pause } = dc;
  if (pause === null || pause.since === null || pause.until !== null) return [];
  const ms = at.getTime() - pause.since.getTime();
  if (ms < LONG_PAUSE_MS) return [];
  // of what has failed meanwhile a pause is only ended
  const fits = listFittingVerbs({ ...dc, gateLatchedAt: dc.cutover.latchedAt }).includes('pause');
  const way = fits ? command`pause --dc ${id} --until WHEN` : command`resume --dc ${id}`;
  return [
    `      paused for ${formatDuration(ms)}, without an end; to ${fits ? 'give it one' : 'end it'}: ${commands.show(way)}`,
  ];
}

/** "session 4711 (role deploy, psql): ACCESS EXCLUSIVE on public.orgs, since …". */
export function showBlocker(blocker: DataCenterStatus['blockers'][number], zone: string): string {
  const { pid, role, application, relation, mode, queued, since } = blocker;
  const session = pid === null ? 'a prepared transaction' : `session ${pid}`;
  const who = inBrackets([role === null ? null : `role ${role}`, application === '' ? null : application]);
  const lock =
    relation === null ? 'it holds what ours waits for' : `${queued ? 'waits for ' : ''}${mode} on ${relation}`;
  return `${session}${who}: ${lock}${since === null ? '' : `, since ${showInstant(since, zone)}`}`;
}

/** "active 3 min 12 s, held 6 h 4 min (needs_approval 5 h 50 min, window_closed 14 min)". */
export function showSplit({ activeMs, heldMs, held }: SplitDuration): string {
  const reasons = held.map(({ code, ms }) => `${code} ${formatDuration(ms)}`).join(', ');
  return `active ${formatDuration(activeMs)}${heldMs === 0 ? '' : `, held ${formatDuration(heldMs)} (${reasons})`}`;
}

const WAITED_FOR = { pause: 'of the pause', window: 'outside the windows', bake: 'bake' } as const;

/** "3–5 h, of which 2 h outside the windows, 1 h bake". */
export function showForecast(remaining: NonNullable<DataCenterStatus['remaining']>): string {
  const waits = remaining.waits.map(({ for: why, lowMs, highMs }) => {
    const length = lowMs === highMs ? formatDuration(highMs) : `${formatDuration(lowMs)} to ${formatDuration(highMs)}`;
    return `${length} ${WAITED_FOR[why]}`;
  });
  return `${showRange(remaining)}${waits.length === 0 ? '' : `, of which ${waits.join(', ')}`}`;
}

/** Shorter, for a line that is redrawn. */
export const showHoldBriefly = (hold: StatusHold): string => `${HOLDS[hold.code].meaning}${measureHold(hold)}`;

/** The document that docs/reference/json.md describes: SQL column names, commands as this user runs them. */
export function statusDocument(status: Status, commands: CommandNames): Readonly<Record<string, unknown>> {
  const { card, dataCenters, auditCut, ...rest } = status;
  const waiting = auditCut === null ? null : cutDocument(auditCut);
  return { ...rest, auditCut: waiting, cardHash: card, dataCenters: dataCenters.map((dc) => toDocument(dc, commands)) };
}

function toDocument(dc: DataCenterStatus, commands: CommandNames): Readonly<Record<string, unknown>> {
  const { id, holds, progress, falls, next, checks, wrongCell, ...rest } = dc;
  const { recent: _, ...counts } = progress ?? { recent: [] };
  return {
    dataCenter: id,
    ...rest,
    holds: holds.map(({ limit, release, ...hold }) => ({
      ...hold,
      limitValue: limit,
      release: commands.showRelease(release),
    })),
    checks: checks.map(({ limit, shown: _shown, ...check }) => ({ ...check, limitValue: limit })),
    progress: progress === null ? null : counts,
    falls: falls === null ? null : fallsDocument(falls),
    wrongCell: wrongCell === null ? null : { ...wrongCell, way: commands.showAdvice(wrongCell.way) },
    next: commands.showRelease(next),
  };
}

/** A login that may read control and no cell is no fault: a dashboard's has no more. */
export function showUnread(
  { id, zone, unreachable, wrongCell }: Pick<DataCenterStatus, 'id' | 'zone' | 'unreachable' | 'wrongCell'>,
  commands: CommandNames,
): readonly string[] {
  if (unreachable === null) return [];
  if (wrongCell !== null) return showWrongCell(wrongCell, zone, commands);
  if (unreachable !== MAY_NOT) return [`      its database cannot be read: ${unreachable}`];
  const role = `credit_rollout_${id.replaceAll('-', '_')}_operator`;
  return [
    `      its database cannot be read: ${unreachable}: this login may read control only, so what is known there is missing`,
    `      for all of it, there as an administrator run: GRANT ${role} TO its login`,
  ];
}

/** SQLSTATE of insufficient_privilege. */
const MAY_NOT = '42501';

/** What happened, since when, and which command or which URL leads out. */
function showWrongCell(
  { message, way, adopted }: NonNullable<DataCenterStatus['wrongCell']>,
  zone: string,
  commands: CommandNames,
): readonly string[] {
  return [
    `      its database cannot be read: wrong_cell: ${message}`,
    ...(adopted === null
      ? []
      : [
          `      since ${showInstant(adopted.since, zone)}: ${showName(adopted.author)} proposed the other copy, ` +
            `${showName(adopted.approver)} approved it (${adopted.adoption})`,
        ]),
    `      to continue: ${commands.showAdvice(way)}`,
  ];
}
