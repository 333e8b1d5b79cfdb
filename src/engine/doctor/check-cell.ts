// Doctor's look at one cell, from the connection inwards: what a failure makes pointless to ask is left out.
import type { DataCenterConfig, RolloutConfig } from '../../domain/config/rollout-config.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import type { ErrorCode } from '../../kernel/error-codes.js';
import { isRolloutError } from '../../kernel/rollout-error.js';
import type { CellDatabase } from '../../stores/cell/cell-database.js';
import { findCell, readServerFacts, type ServerFacts } from '../../stores/cell/identity.js';
import { assertRightCell, listMissingMigrations } from '../../stores/cell/setup/doctor-queries.js';
import { findSource, type Source } from '../../stores/cell/setup/source.js';
import type { EngineContext } from '../context.js';
import { checkCalendar, checkClock } from './check-calendar.js';
import { checkBake, checkDurability, checkPrimary, checkRoles, checkVersion } from './check-server.js';
import {
  checkAttachment,
  checkColumns,
  checkContents,
  checkFeed,
  checkIndexes,
  checkPrivilege,
  checkRowSecurity,
} from './check-source.js';
import { createFindingRecorder, type Finding, type FindingRecorder } from './finding.js';

export interface CellRequest {
  readonly dataCenter: DataCenterConfig;
  readonly config: RolloutConfig;
  /** Undefined when it cannot be read; then nothing is said about editions. */
  readonly card: RateCard | undefined;
}

/** Never throws; a cell that cannot be reached has one finding. */
export async function checkCell(
  context: Pick<EngineContext, 'cells' | 'clock'>,
  request: CellRequest,
): Promise<readonly Finding[]> {
  const { dataCenter, config } = request;
  const recorder = createFindingRecorder(dataCenter.id, `Data center "${dataCenter.id}"`);
  const opened = await openCell(context, recorder, dataCenter);
  if (opened.cell === undefined) return opened.findings;
  const calendar = await checkCalendar(recorder, opened.cell, dataCenter, config, context.clock.now());
  const inside = await checkInside(recorder, opened.cell, request, opened.facts);
  return [...opened.findings, ...calendar, ...inside];
}

type Opened =
  | { readonly cell: undefined; readonly findings: readonly Finding[] }
  | { readonly cell: CellDatabase; readonly facts: ServerFacts; readonly findings: readonly Finding[] };

/** Connects, and looks at the server; `cell` is undefined when going on would only repeat the failure. */
async function openCell(
  { cells, clock }: Pick<EngineContext, 'cells' | 'clock'>,
  recorder: FindingRecorder,
  { id }: DataCenterConfig,
): Promise<Opened> {
  try {
    const cell = cells.get(id);
    const { facts, reading } = await cell.asOwner(async (tx) => {
      const before = clock.now();
      const facts = await readServerFacts(tx);
      const reading = { before, cell: facts.now, after: clock.now() };
      await assertRightCell(tx, id);
      return { facts, reading };
    });
    const version = checkVersion(recorder, facts);
    const findings = [recorder.ok('connection', 'reachable'), version];
    if (version.level === 'error') return { cell: undefined, findings };
    const server = [
      checkPrimary(recorder, facts),
      recorder.ok('right cell', facts.initialised ? `it is the cell of ${id}` : 'not marked by an init yet'),
      checkDurability(recorder, facts),
      checkClock(recorder, reading),
    ];
    return { cell, facts, findings: [...findings, ...server] };
  } catch (error) {
    const check = isRolloutError(error) ? (CHECKS[error.code] ?? 'connection') : 'connection';
    return { cell: undefined, findings: [recorder.failure(check, error)] };
  }
}

const CHECKS: Readonly<Partial<Record<ErrorCode, string>>> = { cell_is_standby: 'primary', wrong_cell: 'right cell' };

async function checkInside(
  recorder: FindingRecorder,
  cell: CellDatabase,
  { dataCenter, config, card }: CellRequest,
  { initialised }: ServerFacts,
): Promise<readonly Finding[]> {
  const found = await openSource(recorder, cell, dataCenter);
  const { source } = found;
  const outside = source === undefined ? [] : await checkOutside(recorder, cell, source, card);
  const schema = await checkSchema(recorder, cell, dataCenter, initialised);
  const relation = source === undefined ? [] : [source];
  if (!initialised) {
    const policies = relation.map((one) => checkRowSecurity(recorder, cell, one, 'relation'));
    const readable = source?.selectable ? (await Promise.all(policies)).flat() : [];
    return [...found.findings, ...outside, ...readable, ...schema];
  }
  const roles = await checkRoles(recorder, cell, source);
  const attached =
    source && (await recorder.run('attached', async () => [await checkAttachment(recorder, cell, source)]));
  const bake = roles.usable ? await checkBake(recorder, cell, config.rollout.bakeQuery) : [];
  // behind our views only if they hang there and a role of ours may look
  const within =
    source && roles.usable && attached?.every(({ level }) => level === 'ok')
      ? [
          ...(await checkRowSecurity(recorder, cell, source, 'views')),
          ...(await checkContents(recorder, cell, card)),
          ...(await checkFeed(recorder, cell, source)),
        ]
      : [];
  return [...found.findings, ...outside, ...schema, ...roles.findings, ...(attached ?? []), ...within, ...bake];
}

async function openSource(
  recorder: FindingRecorder,
  cell: CellDatabase,
  { id, source: name }: DataCenterConfig,
): Promise<{ readonly source: Source | undefined; readonly findings: readonly Finding[] }> {
  try {
    const source = await cell.asOwner((tx) => findSource(tx, name, id));
    return { source, findings: [recorder.ok('source', `${source.relation}, a ${source.kind}`)] };
  } catch (error) {
    return { source: undefined, findings: [recorder.failure('source', error)] };
  }
}

async function checkOutside(
  recorder: FindingRecorder,
  cell: CellDatabase,
  source: Source,
  card: RateCard | undefined,
): Promise<readonly Finding[]> {
  const readable = await recorder.run('readable', async () => [await checkPrivilege(recorder, cell, source)]);
  return [...checkColumns(recorder, source, card), ...readable, ...checkIndexes(recorder, source)];
}

const INIT = 'Run: credit-rollout init';

async function checkSchema(
  recorder: FindingRecorder,
  cell: CellDatabase,
  { zone }: DataCenterConfig,
  initialised: boolean,
): Promise<readonly Finding[]> {
  return recorder.run('schema', async () => {
    const missing = initialised ? await cell.asOwner(listMissingMigrations) : undefined;
    if (missing === undefined)
      return [recorder.error('schema', 'our schema credit_rollout is missing', INIT, 'not_initialised')];
    if (missing.length > 0)
      return [recorder.error('schema', `our schema is old: it lacks ${missing.join(', ')}`, INIT, 'not_initialised')];
    const stored = await cell.asOwner(findCell);
    if (stored !== undefined && stored.zone !== zone)
      return [recorder.warning('schema', `init stored the zone ${stored.zone}, the configuration says ${zone}`, INIT)];
    return [recorder.ok('schema', 'up to date')];
  });
}
