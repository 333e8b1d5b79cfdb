// `doctor`: checks everything that a rollout depends on, and names what is wrong and how to fix it. Changes nothing,
// never throws. A new check is one entry in the lists below, at its place in the order of the findings.
import type { DataCenterConfig, RolloutConfig } from '../../domain/config/rollout-config.js';
import type { Transport } from '../../domain/config/server-url.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import type { EngineContext } from '../context.js';
import type { PolicyDifference } from '../settings/compare-policy.js';
import { checkInstants, checkWindows, checkZone } from './check-calendar.js';
import {
  checkAdopted,
  checkBake,
  checkEncoding,
  checkGrants,
  checkRoles,
  checkSchema,
  checkStatements,
  isInitialised,
  type OpenCell,
  openCell,
} from './check-cell.js';
import { checkChecks } from './check-checks.js';
import {
  checkControlSchema,
  checkMembers,
  checkMixedRollout,
  checkPins,
  checkPolicy,
  checkSchedulerQueues,
  checkSchedulerTicks,
  checkWebhooks,
  type OpenControl,
  openControl,
} from './check-control.js';
import { checkFeed } from './check-feed.js';
import { checkCellLocks, checkControlLocks } from './check-locks.js';
import { checkCellLogins, checkSchedulerLogins } from './check-logins.js';
import { checkMeter, type MeterServers, type ReadMeters, readMeters } from './check-meter.js';
import { checkCellOwner, checkControlOwner } from './check-owner.js';
import { checkCellPasswords, checkControlPasswords } from './check-passwords.js';
import { checkCellPrepared, checkControlPrepared } from './check-prepared.js';
import { checkRanges } from './check-ranges.js';
import { loadCard } from './check-rate-card.js';
import { checkSealKeys } from './check-seals.js';
import { checkClock, checkDurability, checkPrimary, checkVersion, checkWritable } from './check-server.js';
import { checkCellSettings, checkControlSettings } from './check-settings.js';
import {
  checkAttachment,
  checkColumns,
  checkKeyRanges,
  checkPrivilege,
  checkRelationPolicies,
  checkSignUps,
  checkSource,
  checkUniqueIds,
  checkViewPolicies,
  ofSource,
} from './check-source.js';
import { checkEditions, checkIds, checkInputs } from './check-source-rows.js';
import { checkTransport, type Transports } from './check-transport.js';
import { checkViewCode } from './check-view-code.js';
import { checkWebhookTargets, type WebhookTarget } from './check-webhooks.js';
import { type Check, type CheckedSubject, type Finding, type OnSlow, runCheck, runChecks } from './finding.js';

/** Once control has been reached. */
const CONTROL_CHECKS: readonly Check<OpenControl>[] = [
  { check: 'connection', run: (_, record) => record.ok('reachable') },
  { check: 'version', run: checkVersion },
  { check: 'primary', run: checkPrimary },
  { check: 'writable', needs: ['primary'], run: checkWritable },
  { check: 'synchronous_commit', run: checkDurability },
  { check: 'settings', run: checkControlSettings },
  { check: 'passwords', run: checkControlPasswords },
  { check: 'prepared transactions', run: checkControlPrepared },
  { check: 'schema', run: checkControlSchema },
  { check: 'owner', needs: ['schema'], run: checkControlOwner },
  { check: 'logins', needs: ['schema'], applies: ({ oneLogin }) => !oneLogin, run: checkSchedulerLogins },
  { check: 'data centers', run: checkMembers },
  { check: 'policy', needs: ['schema'], run: checkPolicy },
  { check: "schedulers' queue", needs: ['schema'], run: checkSchedulerQueues },
  { check: "schedulers' ticks", needs: ['schema'], run: checkSchedulerTicks },
  { check: 'locks', needs: ['schema'], run: checkControlLocks },
  { check: 'webhooks', needs: ['schema'], run: checkWebhooks },
  { check: 'pinned instants', run: checkPins },
  { check: 'moves', run: checkMixedRollout },
];

/** Once the cell has been reached, and is that of the data center. */
const CELL_CHECKS: readonly Check<OpenCell>[] = [
  // the server
  { check: 'connection', run: (_, record) => record.ok('reachable') },
  { check: 'version', decisive: true, run: checkVersion },
  { check: 'primary', run: checkPrimary },
  { check: 'writable', needs: ['primary'], run: checkWritable },
  {
    check: 'right cell',
    run: checkAdopted,
  },
  { check: 'encoding', run: checkEncoding },
  { check: 'synchronous_commit', run: checkDurability },
  { check: 'settings', run: checkCellSettings },
  { check: 'passwords', run: checkCellPasswords },
  { check: 'prepared transactions', run: checkCellPrepared },
  // time
  { check: 'clock', run: checkClock },
  { check: 'zone', run: checkZone },
  { check: 'instants', needs: ['zone'], run: checkInstants },
  { check: 'windows', needs: ['zone'], run: checkWindows },
  // the product's relation
  { check: 'source', run: checkSource },
  { check: 'columns', needs: ['source'], run: ofSource(checkColumns) },
  { check: 'readable', needs: ['source'], run: ofSource(checkPrivilege) },
  { check: 'unique ids', needs: ['source'], run: ofSource(checkUniqueIds) },
  { check: 'key ranges', needs: ['source'], run: ofSource(checkKeyRanges) },
  {
    check: 'row-level security',
    needs: ['readable'],
    applies: (cell) => !isInitialised(cell),
    run: ofSource(checkRelationPolicies),
  },
  // our schema and roles
  { check: 'schema', run: checkSchema },
  { check: 'roles', applies: isInitialised, run: checkRoles },
  { check: 'owner', applies: isInitialised, run: checkCellOwner },
  {
    check: 'logins',
    needs: ['schema'],
    applies: (cell) => isInitialised(cell) && !cell.oneLogin,
    run: checkCellLogins,
  },
  { check: 'locks', applies: isInitialised, run: checkCellLocks },
  { check: 'statements', needs: ['schema', 'roles'], applies: isInitialised, run: checkStatements },
  { check: 'seals', needs: ['schema', 'roles'], applies: isInitialised, run: checkSealKeys },
  { check: 'grants', needs: ['source', 'roles'], applies: isInitialised, run: ofSource(checkGrants) },
  { check: 'attached', needs: ['source'], applies: isInitialised, run: ofSource(checkAttachment) },
  // what is in the source, read through our views by our roles
  { check: 'row-level security', needs: ['writable', 'roles', 'attached'], run: ofSource(checkViewPolicies) },
  { check: 'view code', needs: ['writable', 'roles', 'attached'], run: checkViewCode },
  { check: 'null ids', needs: ['writable', 'roles', 'attached', 'view code'], run: checkIds },
  { check: 'editions', needs: ['writable', 'roles', 'attached', 'view code'], run: checkEditions },
  { check: 'inputs', needs: ['writable', 'roles', 'attached', 'view code'], run: checkInputs },
  { check: 'sign-ups', needs: ['writable', 'schema', 'roles', 'attached'], run: ofSource(checkSignUps) },
  { check: 'ranges', needs: ['writable', 'schema', 'roles', 'attached'], run: ofSource(checkRanges) },
  { check: 'change feed', needs: ['writable', 'roles', 'attached'], run: ofSource(checkFeed) },
  { check: 'bake query', needs: ['writable', 'roles'], run: checkBake },
  { check: 'checks', needs: ['writable', 'schema', 'roles'], applies: isInitialised, run: checkChecks },
];

export interface DoctorRequest {
  readonly config: RolloutConfig;
  /** The card, or what loads it: a card that cannot be loaded is a finding and hides nothing else. */
  readonly card: RateCard | (() => Promise<RateCard>);
  /** The data centers to check. */
  readonly dataCenters: readonly DataCenterConfig[];
  /** Where the configuration as it is written differs from the policy; `config` has the policy. */
  readonly policyDifferences?: readonly PolicyDifference[];
  /** Resolves where the queue can be used; rejects with queue_unreachable, queue_pooled and the like. */
  readonly queueCheck: () => Promise<void>;
  /** How the URLs go over the network; left out: not checked. */
  readonly transports?: Transports;
  /** What the meters' Redis say of themselves; left out: not checked. */
  readonly meters?: MeterServers;
  /** The webhooks of the configuration; left out: not checked. */
  readonly webhooks?: readonly WebhookTarget[];
  /** For each count of what is in a source; left out: half a minute. */
  readonly countLimitMs?: number;
  /** Hears of each check that is still running after a second. */
  readonly onSlow?: OnSlow;
}

/** Findings on control, queue, webhooks, rate card, then every data center in rollout order; the good ones included. */
export async function runDoctorChecks(
  context: Pick<EngineContext, 'control' | 'cells' | 'clock' | 'actor'>,
  request: DoctorRequest,
): Promise<readonly Finding[]> {
  const [control, queue, webhooks, { card, findings }] = await Promise.all([
    checkControl(context, request),
    checkQueue(request),
    checkWebhookTargets(request.webhooks ?? []),
    loadCard(request.card),
  ]);
  const meters = request.meters && (await readMeters(request.meters, request.dataCenters, context.clock));
  const cells = await Promise.all(
    request.dataCenters.map((dataCenter) =>
      checkCell(
        context,
        { dataCenter, config: request.config, card, ...pickLimit(request) },
        { transports: request.transports, meters, onSlow: request.onSlow },
      ),
    ),
  );
  return [...control, ...queue, ...webhooks, ...findings, ...cells.flat()];
}

const pickLimit = ({ countLimitMs }: DoctorRequest): Pick<OpenCell, 'countLimitMs'> =>
  countLimitMs === undefined ? {} : { countLimitMs };

/** A control database that cannot be reached has one finding. */
export async function checkControl(
  context: Pick<EngineContext, 'control' | 'actor'>,
  request: Pick<DoctorRequest, 'config' | 'dataCenters' | 'policyDifferences' | 'transports' | 'onSlow'>,
): Promise<readonly Finding[]> {
  const about = { subject: 'control', title: 'The control database' };
  const opened = await openControl(context, request, about);
  if (opened.kind === 'failed') return [opened.finding];
  const findings = await runChecks(about, CONTROL_CHECKS, opened.subject, request.onSlow);
  return [...findings, ...(await checkEncryption(about, request.transports?.control, 'postgres'))];
}

async function checkQueue({ config, queueCheck, transports }: DoctorRequest): Promise<readonly Finding[]> {
  const about = { subject: 'queue', title: 'The queue' };
  const own = config.queue !== undefined;
  const findings = await runCheck(about, 'connection', async (record) => {
    await queueCheck();
    return record.ok(own ? 'a wake-up went there and back' : 'the control database, for `up` only');
  });
  const reached = findings.every(({ level }) => level !== 'error');
  return own && reached ? [...findings, ...(await checkEncryption(about, transports?.queue, 'queue'))] : findings;
}

async function checkEncryption(
  about: CheckedSubject,
  transport: (() => Transport) | undefined,
  server: 'postgres' | 'queue' | 'meter',
): Promise<readonly Finding[]> {
  if (transport === undefined) return [];
  return runCheck(about, 'encryption', (record) => checkTransport(transport(), record, server));
}

interface CellSurroundings {
  readonly transports: Transports | undefined;
  readonly meters: ReadMeters | undefined;
  readonly onSlow: OnSlow | undefined;
}

/** A cell that cannot be reached has one finding. */
async function checkCell(
  context: Pick<EngineContext, 'control' | 'cells' | 'clock' | 'actor'>,
  request: Pick<OpenCell, 'dataCenter' | 'config' | 'card' | 'countLimitMs'>,
  { transports, meters, onSlow }: CellSurroundings,
): Promise<readonly Finding[]> {
  const { id } = request.dataCenter;
  const about = { subject: id, title: `Data center "${id}"` };
  const opened = await openCell(context, request, about);
  if (opened.kind === 'failed') return [opened.finding];
  const findings = await runChecks(about, CELL_CHECKS, opened.subject, onSlow);
  const transport = transports && (() => transports.cell(id));
  return [
    ...findings,
    ...(await checkEncryption(about, transport, 'postgres')),
    ...(await checkMeter(about, { meters, cellClock: opened.subject.clock })),
    ...(await checkMeterEncryption(about, id, transports)),
  ];
}

async function checkMeterEncryption(
  about: CheckedSubject,
  id: string,
  transports: Transports | undefined,
): Promise<readonly Finding[]> {
  const transport = transports?.meter(id);
  return transport === undefined
    ? []
    : runCheck(about, 'meter encryption', (record) => checkTransport(transport, record, 'meter'));
}
