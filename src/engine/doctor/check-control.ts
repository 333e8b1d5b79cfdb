// Checks of `doctor` on control: its schema, the instants that it pinned, and a rollout of which only a part is done.
import type { DataCenterConfig, RolloutConfig } from '../../domain/config/rollout-config.js';
import { type LocalInstant, parseLocalInstant } from '../../domain/time/parse-instant.js';
import { isControlReady, readControlFacts } from '../../stores/control/control-database.js';
import { type DataCenterRow, listDataCenters } from '../../stores/control/data-centers.js';
import { readRollout } from '../../stores/control/rollout.js';
import type { EngineContext } from '../context.js';
import { type CutoverMove, listMoves, wasPinned } from '../cutover/pinned-instants.js';
import type { ServerReading } from './check-server.js';
import { type CheckedSubject, createFindingRecorder, type Finding, type FindingRecorder } from './finding.js';

interface ControlRequest {
  readonly config: RolloutConfig;
  readonly dataCenters: readonly DataCenterConfig[];
}

/** A control database that was reached. */
export interface OpenControl extends ServerReading, ControlRequest {
  readonly control: EngineContext['control'];
}

export async function openControl(
  { control }: Pick<EngineContext, 'control'>,
  { config, dataCenters }: ControlRequest,
  about: CheckedSubject,
): Promise<
  { readonly kind: 'open'; readonly subject: OpenControl } | { readonly kind: 'failed'; readonly finding: Finding }
> {
  try {
    const facts = await control.inTransaction(readControlFacts);
    return { kind: 'open', subject: { ...facts, config, dataCenters, control } };
  } catch (error) {
    return { kind: 'failed', finding: createFindingRecorder(about, 'connection').failure(error) };
  }
}

const INIT = 'Run: credit-rollout init';

export async function checkControlSchema(
  { control, dataCenters }: Pick<OpenControl, 'control' | 'dataCenters'>,
  record: FindingRecorder,
): Promise<Finding> {
  if (!(await control.inTransaction(isControlReady)))
    return record.error('our schema is missing or old', INIT, 'not_initialised');
  const known = new Set((await control.inTransaction(listDataCenters)).map(({ id }) => id));
  const missing = dataCenters.filter(({ id }) => !known.has(id)).map(({ id }) => id);
  if (missing.length === 0) return record.ok('up to date');
  return record.error(`it does not know ${missing.join(', ')} yet`, INIT, 'not_initialised');
}

/** Where the configuration differs from what was pinned, under the ids of the data centers. Nothing before `init`. */
export async function checkPins({ control, config, dataCenters }: OpenControl): Promise<readonly Finding[]> {
  if (!(await control.inTransaction(isControlReady))) return [];
  const { rows, pinned, moves } = await control.inTransaction(async (tx) => ({
    rows: new Map((await listDataCenters(tx)).map((row) => [row.id, row])),
    pinned: (await readRollout(tx)).pinnedAt !== null,
    moves: await listMoves(tx),
  }));
  if (!pinned) return [];
  return dataCenters.flatMap(({ id, zone }) => {
    const row = rows.get(id);
    return row === undefined ? [] : checkPinsOf(row, config, zone, moves(id));
  });
}

function checkPinsOf(
  row: Pick<DataCenterRow, 'id' | 'notBeforeAt' | 'notBeforeLocal' | 'cutoverAt' | 'cutoverLocal'>,
  { rollout, signups }: RolloutConfig,
  zone: string,
  moves: readonly CutoverMove[],
): readonly Finding[] {
  const record = createFindingRecorder({ subject: row.id, title: row.id }, 'pinned instants');
  const read = (text: string | undefined): LocalInstant | undefined =>
    text === undefined ? undefined : parseLocalInstant(text, zone);
  const notBefore = { key: 'rollout.notBefore', at: row.notBeforeAt, local: row.notBeforeLocal };
  const cutover = { key: 'signups.cutover', at: row.cutoverAt, local: row.cutoverLocal };
  const configured = read(signups.cutover);
  return [
    ...checkPin(notBefore, read(rollout.notBefore), record),
    ...(wasPinned(configured?.instant ?? null, moves) ? [] : checkPin(cutover, configured, record)),
  ];
}

function checkPin(
  { key, at, local }: { readonly key: string; readonly at: Date | null; readonly local: string | null },
  configured: LocalInstant | undefined,
  record: FindingRecorder,
): readonly Finding[] {
  if (at?.getTime() === configured?.instant.getTime()) return [];
  const other = configured === undefined ? 'has none' : `has ${configured.local} ${configured.zone}`;
  const found = `${key} was pinned as ${local ?? 'none'}, the configuration ${other}; the pinned one applies`;
  return [record.warning(found, `Restore ${key} in the configuration.`, 'instants_pinned')];
}

/** Once done, its orgs stay on credits, also while it is rolled out again. */
const isMigrated = ({ stage, doneAt }: Pick<DataCenterRow, 'stage' | 'doneAt'>): boolean =>
  doneAt !== null || stage === 'baking';

/**
 * While some data centers are on credits and others are not, an org that moves to one of the others falls to its legacy
 * number (row 45 of an org's life). Only warns; nothing where control cannot be read, which has a finding of its own.
 */
export async function checkMixedRollout(
  { control }: Pick<OpenControl, 'control'>,
  record: FindingRecorder,
): Promise<readonly Finding[]> {
  const rows = await control.inTransaction(listDataCenters).catch(() => []);
  const migrated = rows.filter(isMigrated).map(({ id }) => id);
  const legacy = rows.filter((row) => !isMigrated(row)).map(({ id }) => id);
  if (migrated.length === 0 || legacy.length === 0) return [];
  const others = legacy.join(', ');
  const found = `the rollout is mixed: ${migrated.join(', ')} on credits, ${others} not yet; an org that moves from the first to the second falls to its legacy number until then`;
  const fix = `Move no org to ${others} yet; else give it its total without additional credits as legacy_limit.`;
  return [record.warning(found, fix)];
}
