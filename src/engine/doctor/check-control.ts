// Doctor's look at control: its server, its schema, and instants that the configuration has moved since they were pinned.
import type { DataCenterConfig, RolloutConfig } from '../../domain/config/rollout-config.js';
import { type LocalInstant, parseLocalInstant } from '../../domain/time/parse-instant.js';
import { isControlReady, readControlFacts } from '../../stores/control/control-database.js';
import { type DataCenterRow, listDataCenters } from '../../stores/control/data-centers.js';
import { readRollout } from '../../stores/control/rollout.js';
import type { EngineContext } from '../context.js';
import { type CutoverMove, listMoves, wasPinned } from '../cutover/pinned-instants.js';
import { checkDurability, checkPrimary, checkVersion } from './check-server.js';
import { createFindingRecorder, type Finding, type FindingRecorder } from './finding.js';

interface ControlRequest {
  readonly config: RolloutConfig;
  readonly dataCenters: readonly DataCenterConfig[];
}

const INIT = 'Run: credit-rollout init';

/** Findings on control itself, then on pinned instants under the ids of their data centers. */
export async function checkControl(
  { control }: Pick<EngineContext, 'control'>,
  request: ControlRequest,
): Promise<readonly Finding[]> {
  const recorder = createFindingRecorder('control', 'The control database');
  return recorder.run('connection', async () => {
    const facts = await control.inTransaction(readControlFacts);
    const server = [
      recorder.ok('connection', 'reachable'),
      checkVersion(recorder, facts),
      checkPrimary(recorder, facts),
      checkDurability(recorder, facts),
    ];
    const schema = await recorder.run('schema', async () => {
      if (!(await control.inTransaction(isControlReady)))
        return [recorder.error('schema', 'our schema is missing or old', INIT, 'not_initialised')];
      const { rows, pinned, moves } = await control.inTransaction(async (tx) => ({
        rows: new Map((await listDataCenters(tx)).map((row) => [row.id, row])),
        pinned: (await readRollout(tx)).pinnedAt !== null,
        moves: await listMoves(tx),
      }));
      return [...checkRows(recorder, rows, request), ...(pinned ? checkPins(rows, moves, request) : [])];
    });
    return [...server, ...schema];
  });
}

function checkRows(
  recorder: FindingRecorder,
  rows: ReadonlyMap<string, DataCenterRow>,
  { dataCenters }: ControlRequest,
): readonly Finding[] {
  const missing = dataCenters.filter(({ id }) => !rows.has(id)).map(({ id }) => id);
  if (missing.length === 0) return [recorder.ok('schema', 'up to date')];
  return [recorder.error('schema', `it does not know ${missing.join(', ')} yet`, INIT, 'not_initialised')];
}

function checkPins(
  rows: ReadonlyMap<string, DataCenterRow>,
  moves: (dataCenter: string) => readonly CutoverMove[],
  { config, dataCenters }: ControlRequest,
): readonly Finding[] {
  return dataCenters.flatMap(({ id, zone }) => {
    const row = rows.get(id);
    if (row === undefined) return [];
    const cutover = read(config.signups.cutover, zone);
    const moved = wasPinned(cutover?.instant ?? null, moves(id));
    return [
      ...checkPin(id, 'rollout.notBefore', row.notBeforeAt, row.notBeforeLocal, read(config.rollout.notBefore, zone)),
      ...(moved ? [] : checkPin(id, 'signups.cutover', row.cutoverAt, row.cutoverLocal, cutover)),
    ];
  });
}

const read = (text: string | undefined, zone: string): LocalInstant | undefined =>
  text === undefined ? undefined : parseLocalInstant(text, zone);

/** What was pinned holds; the configuration says something else. */
function checkPin(
  dataCenter: string,
  key: string,
  pinnedAt: Date | null,
  pinnedLocal: string | null,
  configured: LocalInstant | undefined,
): readonly Finding[] {
  if (pinnedAt?.getTime() === configured?.instant.getTime()) return [];
  const says = configured === undefined ? 'nothing' : `${configured.local} ${configured.zone}`;
  const found = `${key} was pinned as ${pinnedLocal ?? 'nothing'}, the configuration says ${says}; what was pinned holds`;
  const fix = `Restore ${key} in the configuration.`;
  return [createFindingRecorder(dataCenter, dataCenter).warning('pinned instants', found, fix, 'instants_pinned')];
}

// Doctor's look at a rollout that is mixed: an org that moves into a data center that is still on the legacy model falls to
// its legacy number (row 45 of an org's life). Only ever warns.

/** Once done, its orgs stay on credits, also while it is rolled out again. */
const isMigrated = ({ stage, doneAt }: DataCenterRow): boolean => doneAt !== null || stage === 'baking';

/** Nothing where all data centers are alike, and where control cannot be read: that has a finding of its own. */
export async function checkMoves({ control }: Pick<EngineContext, 'control'>): Promise<readonly Finding[]> {
  const rows = await control.inTransaction(listDataCenters).catch(() => []);
  const [migrated, legacy] = [rows.filter(isMigrated), rows.filter((row) => !isMigrated(row))];
  if (migrated.length === 0 || legacy.length === 0) return [];
  const list = (some: readonly DataCenterRow[]): string => some.map(({ id }) => id).join(', ');
  const found = `the rollout is mixed: ${list(migrated)} on credits, ${list(legacy)} not yet; an org that moves from the first to the second falls to its legacy number until then`;
  const fix = `Move no org to ${list(legacy)} yet; else give it its total without additional credits as legacy_limit.`;
  return [createFindingRecorder('control', 'The control database').warning('moves', found, fix)];
}
