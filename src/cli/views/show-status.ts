// `status` for people: one row per data center in rollout order, why each is held, and the command that continues it.

import { type GivenUpWhy, isLongWait, type SignUpsWait } from '../../domain/cutover/sign-up-writing.js';
import { isFollowed, longestWaitMs } from '../../domain/feed/decide-pace.js';
import type { DataCenterStatus, Status } from '../../engine/operate/read-status.js';
import { showFallsId } from '../../engine/reconcile/accept-falls.js';
import { type CommandText, command } from '../../kernel/advice.js';
import type { CommandNames } from '../terminal/command-names.js';
import { showCount, showInstant, showOrgs, showRange, showShare } from '../terminal/numbers.js';
import type { Paint } from '../terminal/paint.js';
import { type Column, describeLeftOut, indent, type LaidOutTable, layOutRows, right } from '../terminal/table.js';
import { TOO_LONG } from './plan-words.js';
import { listWaitingCut } from './show-audit-cut.js';
import { showSetChecks } from './show-check-limits.js';
import { drawBar, measure, readRate, shareOf } from './show-progress.js';
import { listStale } from './show-stale.js';
import {
  findIcon,
  listLongPause,
  nameWord,
  showBlocker,
  showForecast,
  showHold,
  showSplit,
  showUnread,
} from './show-state.js';

export interface StatusView {
  readonly commands: CommandNames;
  readonly paint: Paint;
  readonly width: number;
}

export function showStatus(status: Status, view: StatusView): string {
  const { commands, paint } = view;
  const words = status.dataCenters.map(nameWord);
  const table = layOutStatus(status.dataCenters, view);
  const rows = status.dataCenters.flatMap((dc, index) => {
    const { icon, tone } = findIcon(words[index] ?? '');
    const [first = '', ...others] = table.rows[index] ?? [];
    return [
      `${paint(icon, tone)} ${first}`,
      ...indent(others),
      ...listNotes(dc, commands),
      ...listLongPause(dc, status.at, commands),
    ];
  });
  const served = `${showCount(status.schedulersAlive)} ${status.schedulersAlive === 1 ? 'scheduler' : 'schedulers'} alive`;
  const card = status.card === null ? 'no apply yet' : `rate card ${status.card.slice(0, 12)}`;
  const next = findNext(status.dataCenters);
  return [
    ...indent(table.titles).map((line) => paint(line, 'bold')),
    ...rows,
    '',
    ...describeLeftOut(table.leftOut, view.width),
    `As of ${showInstant(status.at)} · ${served} · ${card}`,
    ...listUnserved(status, commands),
    ...listTickFailures(status, commands),
    ...listQueueFailures(status, commands),
    ...listWebhookFailures(status, commands),
    ...listWaitingCut(status.auditCut, commands),
    ...listExcess(status),
    ...(next === null ? [] : [`Next: ${commands.showRelease(next)}`]),
  ].join('\n');
}

/** Of the first that is not done, or that has something to be approved or applied. */
const findNext = (dataCenters: readonly DataCenterStatus[]): DataCenterStatus['next'] | null =>
  dataCenters.find(({ stage, next }) => stage !== 'done' || next.verb !== 'verify')?.next ?? null;

/** Nothing is due, so nothing is held; without a scheduler nothing will ever become due. */
const listUnserved = ({ schedulersAlive, dataCenters }: Status, commands: CommandNames): readonly string[] =>
  schedulersAlive === 0 &&
  dataCenters.some(({ stage }) => stage === 'done') &&
  dataCenters.every(({ holds }) => holds.every(({ code }) => code !== 'no_scheduler'))
    ? [`No scheduler runs, so no nightly run begins. Start one: ${commands.show('up')}`]
    : [];

/** Each is somebody who is not told. */
const listWebhookFailures = ({ webhookFailures }: Status, commands: CommandNames): readonly string[] =>
  webhookFailures.map(
    ({ webhook, code, since }) =>
      `Webhook ${webhook} takes no message since ${showInstant(since)} (${code}). What waits: ${commands.show('webhooks list')}`,
  );

/** About the one that has failed for the longest. */
function listQueueFailures({ queueFailures }: Status, commands: CommandNames): readonly string[] {
  const [first, ...others] = queueFailures;
  if (first === undefined) return [];
  const who = others.length === 0 ? 'A scheduler' : `${showCount(queueFailures.length)} schedulers`;
  return [
    `${who} cannot use the queue (${first.code}), since ${showInstant(first.since)}. ` +
      `Work goes on without it, some seconds later. What is wrong: ${commands.show('doctor')}`,
  ];
}

/** About the one that has failed for the longest. */
function listTickFailures({ tickFailures }: Status, commands: CommandNames): readonly string[] {
  const [first, ...others] = tickFailures;
  if (first === undefined) return [];
  const who = others.length === 0 ? 'A scheduler' : `${showCount(tickFailures.length)} schedulers`;
  return [
    `${who} cannot take any step (${first.code}), since ${showInstant(first.since)}. ` +
      `What is wrong: ${commands.show('doctor')}`,
  ];
}

/** One line per kind of process, about its first login. */
const listExcess = ({ logins }: Status): readonly string[] =>
  (['worker', 'scheduler'] as const).flatMap((process) => {
    const [first, ...others] = logins.filter((login) => login.process === process);
    if (first === undefined) return [];
    const where = first.dataCenter === null ? '' : ` of ${first.dataCenter}`;
    const more = others.length === 0 ? '' : `, and ${showCount(others.length)} more`;
    return [
      `A ${process}${where} runs as ${first.login}, which may do more than its work (${first.powers.join(', ')})${more}. ` +
        'Give it a login of its own: docs/how-to/install-a-fleet.md',
    ];
  });

const COLUMNS = [
  { title: 'DC' },
  { title: 'STAGE' },
  { title: 'PROGRESS', kept: 'whole' },
  right('ORGS', 2),
  right('WRITTEN', 4),
  right('QUARANTINED', 1),
  right('RATE', 5),
  right('TIME LEFT', 3),
  right('WORKERS', 6),
] as const;
/** Shown only where one has it. */
const WHILE_RUNNING: readonly string[] = ['RATE', 'TIME LEFT'];

function layOutStatus(dataCenters: readonly DataCenterStatus[], { width }: StatusView): LaidOutTable {
  const rows = dataCenters.map((dc) => toRow(dc));
  const shown = COLUMNS.map(({ title }, at) => !WHILE_RUNNING.includes(title) || rows.some((row) => row[at] !== '–'));
  const pick = <T>(list: readonly T[]): readonly T[] => list.filter((_, at) => shown[at]);
  return layOutRows(pick<Column>(COLUMNS), rows.map(pick), width - 2);
}

function toRow(dc: DataCenterStatus): readonly string[] {
  const { done, of } = measure(dc);
  const { progress } = dc;
  const rate = readRate(dc);
  return [
    dc.id,
    nameWord(dc),
    progress === null ? '' : `${drawBar(shareOf(dc), 10)} ${showShare(shareOf(dc))}`,
    of === 0 ? '–' : `${showCount(done)}/${showCount(of)}`,
    progress === null ? '–' : showCount(progress.inserted + progress.raised),
    progress === null ? '–' : showCount(progress.quarantined),
    rate === null ? '–' : `${showCount(rate)}/s`,
    dc.remaining === null ? '–' : showRange(dc.remaining),
    dc.workersAlive === null ? '?' : showCount(dc.workersAlive),
  ];
}

function listNotes(dc: DataCenterStatus, commands: CommandNames): readonly string[] {
  const reasons = dc.quarantined.map(({ reason, orgs }) => `${showCount(orgs)} ${reason}`).join(', ');
  return [
    ...dc.holds.map((hold) => `      waits: ${showHold(hold, dc, commands)}`),
    ...dc.blockers.map((blocker) => `      blocked by ${showBlocker(blocker, dc.zone)}; end it, or wait`),
    ...(dc.failure === null ? [] : [`      failed: ${dc.failure}; to continue: ${commands.showRelease(dc.next)}`]),
    ...showUnread(dc, commands),
    ...listChecks(dc),
    ...showSetChecks(dc),
    ...listDuration(dc),
    ...(dc.remaining === null || dc.remaining.waits.length === 0
      ? []
      : [`      left: about ${showForecast(dc.remaining)}`]),
    ...listCutover(dc),
    ...(dc.lastNight === null ? [] : [`      last night: ${showNight(dc.lastNight)}`]),
    ...listFalls(dc, commands),
    ...listFeed(dc, commands),
    ...listSignUps(dc, commands),
    ...(reasons === ''
      ? []
      : [`      quarantined: ${reasons}; list them: ${commands.show(command`quarantine --dc ${dc.id}`)}`]),
    ...listStale(dc, commands).map((line) => `      stale: ${line}`),
    ...(dc.leftOut === 0 ? [] : [`      left out: ${showOrgs(dc.leftOut)}, ${TOO_LONG}`]),
  ];
}

/** While work may run: what slows it, and how much of it may work at once. */
const listChecks = ({ effectiveLanes, checks }: DataCenterStatus): readonly string[] =>
  effectiveLanes === null
    ? []
    : [`      checks: ${checks.map(({ shown }) => shown).join(', ')}; lanes that may write: ${effectiveLanes}`];

/** While it is requested or under way; its end has a summary. */
const listDuration = ({ duration, requestedAt }: DataCenterStatus): readonly string[] =>
  duration === null || requestedAt === null ? [] : [`      so far: ${showSplit(duration)}`];

function listFalls({ falls }: DataCenterStatus, commands: CommandNames): readonly string[] {
  if (falls === null) return [];
  const waits =
    falls.state === 'proposed'
      ? `waits for a second person: ${commands.show(command`approve ${showFallsId(falls)}`)}`
      : 'is approved, and starts by itself';
  return [`      falls beyond the limits of a nightly run: ${showFallsId(falls)} of ${falls.author} ${waits}`];
}

/** Only where raises do not follow within seconds. */
function listFeed({ id, changeFeed }: DataCenterStatus, commands: CommandNames): readonly string[] {
  if (changeFeed === null) return [];
  const { failure, lookMs, bulk } = changeFeed;
  const help = `what would help: ${commands.show(command`doctor --dc ${id}`)}`;
  if (failure !== null)
    return [`      change feed: it failed (${failure}), so raises wait for the nightly run; ${help}`];
  if (lookMs !== null && !isFollowed(lookMs)) {
    const wait = showCount(Math.ceil(longestWaitMs(lookMs) / 1_000));
    return [`      change feed: finding edits takes long, so raises follow up to ${wait} s later; ${help}`];
  }
  return bulk ? ['      change feed: many orgs were updated at once, and are read in small pages'] : [];
}

/** What a sign-up waits for, after "sign-ups: 3 wait to be written since …: ". */
const SIGN_UPS_WAIT: Readonly<Record<SignUpsWait, string>> = {
  frozen: 'the cell is frozen',
  closed: 'a run writes, or the rollout is not done; they are written after it',
  no_worker: 'no worker serves this data center',
  too_slow: 'the source cannot be read for them in 10 s; the nightly run writes them',
  failed: 'the source cannot be read for them; it is tried again',
  view_not_followed:
    'one read of the source takes so long that they follow later than 5 s; doctor says what would help',
  crowd: 'more signed up at once than the source can be read for in 5 s; doctor says what would help',
  view_takes_long: 'one read of the source takes long, so they are written together, every few seconds',
  being_written: 'workers are writing them',
};

/** What five tries met, and what helps. */
const GIVEN_UP: Readonly<Record<GivenUpWhy, string>> = {
  undecidable: 'what the source says of them cannot be decided',
  absent: 'the source does not have them',
  left_to_night: 'the nightly run decides them, with the floor or the cut-over that they had before',
  unreadable: 'their rows in the source cannot be read',
  too_slow: 'the source cannot be read for them in 10 s',
};
const helpOf = (why: GivenUpWhy, dc: string): CommandText =>
  why === 'undecidable'
    ? command`quarantine --dc ${dc}`
    : why === 'left_to_night'
      ? command`reconcile --dc ${dc}`
      : command`doctor --dc ${dc}`;

function listSignUps(dc: DataCenterStatus, commands: CommandNames): readonly string[] {
  return [...listWaitingSignUps(dc, commands), ...listGivenUp(dc, commands)];
}

function listWaitingSignUps({ id, zone, waitingSignUps }: DataCenterStatus, commands: CommandNames): readonly string[] {
  if (waitingSignUps === null || waitingSignUps.since === null) return [];
  const { count, since, why, failure } = waitingSignUps;
  if (!isLongWait(waitingSignUps, why)) return [];
  const wait = `${showCount(count)} ${count === 1 ? 'waits' : 'wait'} to be written`;
  const code = failure !== null && (why === 'failed' || why === 'too_slow') ? ` (${failure})` : '';
  const help = why === 'failed' || why === 'too_slow' ? `; ${commands.show(command`doctor --dc ${id}`)}` : '';
  return [`      sign-ups: ${wait} since ${showInstant(since, zone)}: ${SIGN_UPS_WAIT[why]}${code}${help}`];
}

function listGivenUp({ id, zone, waitingSignUps }: DataCenterStatus, commands: CommandNames): readonly string[] {
  const givenUp = waitingSignUps?.givenUp ?? null;
  if (givenUp === null) return [];
  const { count, since, why } = givenUp;
  const orgs = `${showCount(count)} not written in five tries, since ${showInstant(since, zone)}`;
  const again = 'tried again every 10 minutes and by each nightly run';
  return [`      sign-ups: ${orgs}: ${GIVEN_UP[why]}; ${again}; ${commands.show(helpOf(why, id))}`];
}

function listCutover({ cutover, zone }: DataCenterStatus): readonly string[] {
  const { configuredAt, effectiveAt, latchedAt, sweptAt } = cutover;
  if (configuredAt === null) return [];
  const since = showInstant(effectiveAt ?? configuredAt, zone);
  if (sweptAt !== null)
    return [`      cut-over: sign-ups start on credits since ${since}; every earlier org is checked`];
  if (latchedAt !== null)
    return [`      cut-over: sign-ups start on credits since ${since}; every earlier org is being checked (its sweep)`];
  return [
    `      cut-over: ${since}; ${effectiveAt === null ? 'not active before the rollout is done' : 'active: it takes effect by itself'}`,
  ];
}

const showNight = ({ localDate, state, note }: NonNullable<DataCenterStatus['lastNight']>): string =>
  `${localDate} ${state.replace('_', ' ')}${note === null ? '' : ` (${note})`}`;

/**
 * Which processes a request waits for, and the command that starts them: one line, or none where a scheduler runs and
 * every one of these data centers has a worker.
 */
export function showMissing(status: Status, dataCenters: readonly string[], commands: CommandNames): readonly string[] {
  const idle = status.dataCenters.find((dc) => dataCenters.includes(dc.id) && dc.workersAlive === 0);
  const missing = [
    ...(status.schedulersAlive === 0 ? ['no scheduler runs'] : []),
    ...(idle === undefined ? [] : [`no worker serves ${idle.id}`]),
  ];
  return missing.length === 0 ? [] : [`It waits: ${missing.join(', and ')}. Start them: ${commands.show('up')}`];
}
