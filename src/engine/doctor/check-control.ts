// Checks of `doctor` on control: its schema, the instants that it pinned, and a rollout of which only a part is done.
import type { DataCenterConfig, RolloutConfig } from '../../domain/config/rollout-config.js';
import { advise, command } from '../../kernel/advice.js';
import { isControlReady, readControlFacts } from '../../stores/control/control-database.js';
import { type DataCenterRow, listDataCenters, listRemoved } from '../../stores/control/data-centers.js';
import {
  listQueueFailures,
  listSchedulerDifferences,
  listTickFailures,
  readGoneSchedulers,
} from '../../stores/control/schedulers.js';
import { listWebhooks } from '../../stores/control/webhooks.js';
import type { EngineContext } from '../context.js';
import { listPinDifferences } from '../cutover/pinned-instants.js';
import { describeDifference, type PolicyDifference } from '../settings/compare-policy.js';
import type { ServerReading } from './check-server.js';
import { type CheckedSubject, createFindingRecorder, type Finding, type FindingRecorder } from './finding.js';

interface ControlRequest {
  readonly config: RolloutConfig;
  readonly dataCenters: readonly DataCenterConfig[];
  readonly policyDifferences?: readonly PolicyDifference[];
}

/** A control database that was reached. */
export interface OpenControl extends ServerReading, ControlRequest {
  readonly control: EngineContext['control'];
  /** The embedded servers: one login is for everything. */
  readonly oneLogin: boolean;
}

export async function openControl(
  { control, actor }: Pick<EngineContext, 'control' | 'actor'>,
  { config, dataCenters, policyDifferences = [] }: ControlRequest,
  about: CheckedSubject,
): Promise<
  { readonly kind: 'open'; readonly subject: OpenControl } | { readonly kind: 'failed'; readonly finding: Finding }
> {
  try {
    const facts = await control.inTransaction(readControlFacts);
    return {
      kind: 'open',
      subject: { ...facts, config, dataCenters, policyDifferences, control, oneLogin: actor !== null },
    };
  } catch (error) {
    return { kind: 'failed', finding: createFindingRecorder(about, 'connection').failure(error) };
  }
}

const INIT = advise`Run: ${command('init')}`;

export async function checkControlSchema(
  { control, dataCenters }: Pick<OpenControl, 'control' | 'dataCenters'>,
  record: FindingRecorder,
): Promise<Finding> {
  if (!(await control.inTransaction(isControlReady)))
    return record.error('our schema is missing or old', INIT, 'not_initialised');
  const known = new Set((await control.inTransaction(listDataCenters)).map(({ id }) => id));
  const missing = dataCenters.filter(({ id }) => !known.has(id)).map(({ id }) => id);
  if (missing.length === 0) return record.ok('up to date');
  const left = (await control.inTransaction(listRemoved)).find((id) => missing.includes(id));
  if (left !== undefined)
    return record.error(
      `${left} has left the fleet`,
      advise`Take it out of the configuration; or add it again: ${command`init --dc ${left}`}`,
      'unknown_data_center',
    );
  return record.error(`it does not know ${missing.join(', ')} yet`, INIT, 'not_initialised');
}

/**
 * What control has and this configuration does not name: a scheduler with such a configuration misses its nights. No
 * error, since a configuration may name some of the data centers.
 */
export async function checkMembers(
  { control, config }: Pick<OpenControl, 'control' | 'config'>,
  record: FindingRecorder,
): Promise<readonly Finding[]> {
  const named = new Set(config.dataCenters.map(({ id }) => id));
  if (!(await control.inTransaction(isControlReady))) return [];
  const rows = await control.inTransaction(listDataCenters);
  return rows
    .filter(({ id }) => !named.has(id))
    .map(({ id }) =>
      record.warning(
        `control has the data center ${id}, which this configuration does not name`,
        advise`Name it in the configuration of every scheduler; if it is to leave the fleet, run: ${command`remove --dc ${id}`}`,
      ),
    );
}

/** Where this configuration, or that of a running scheduler, writes another value than the policy, which counts. */
export async function checkPolicy(
  { control, policyDifferences = [] }: Pick<OpenControl, 'control' | 'policyDifferences'>,
  record: FindingRecorder,
): Promise<readonly Finding[]> {
  const ofSchedulers = await control.inTransaction(listSchedulerDifferences);
  const fix = advise`Write the value of the policy, or leave the key out; to change the policy: ${command('settings propose --from-config --reason TEXT --execute')}`;
  const findings = [
    ...policyDifferences.map((one) => record.error(describeDifference(one).slice(0, -1), fix, 'policy_differs')),
    ...ofSchedulers.map((name) =>
      record.warning(
        `the configuration of a scheduler has another ${name} than the policy, which it uses`,
        'Correct its configuration, and start it again.',
        'policy_differs',
      ),
    ),
  ];
  return findings.length > 0 ? findings : [record.ok('the configuration says the same')];
}

/** A queue that this command reaches may be out of reach for a scheduler, which works on without it, only later. */
export async function checkSchedulerQueues(
  { control }: Pick<OpenControl, 'control'>,
  record: FindingRecorder,
): Promise<readonly Finding[]> {
  const failures = await control.inTransaction(listQueueFailures);
  const fix = 'On the machine of that scheduler, correct the URL of queue or the way to it: docs/reference/errors.md';
  return failures.length === 0
    ? [record.ok('every scheduler that runs can use its queue')]
    : failures.map(({ code, since }) =>
        record.warning(
          `a scheduler cannot use its queue since ${since.toISOString()} (${code})`,
          fix,
          'queue_unreachable',
        ),
      );
}

/** A scheduler that is alive and takes no step is none. */
export async function checkSchedulerTicks(
  { control }: Pick<OpenControl, 'control'>,
  record: FindingRecorder,
): Promise<readonly Finding[]> {
  const { failures, gone } = await control.inTransaction(async (tx) => ({
    failures: await listTickFailures(tx),
    gone: await readGoneSchedulers(tx),
  }));
  const fix = 'Its log names the error at tick_failed; look up the code in docs/reference/errors.md, or report it.';
  const found = failures.map(({ code, since }) =>
    record.error(`the ticks of a scheduler fail since ${since.toISOString()} (${code}): it takes no step`, fix),
  );
  if (gone.count > 0 && gone.seenAt !== null) found.push(describeGone(gone.count, gone.seenAt, record));
  return found.length === 0 ? [record.ok('the ticks of every scheduler that runs end')] : found;
}

/** A scheduler that ends takes its row away: one that was killed, or whose machine is gone, cannot. */
const describeGone = (count: number, seenAt: Date, record: FindingRecorder): Finding =>
  record.warning(
    `${count === 1 ? '1 scheduler was' : `${count} schedulers were`} not ended in order, the last seen ${seenAt.toISOString()}`,
    'Nothing needs to be done where others run: it is forgotten after a day. Else start one.',
  );

/** Somebody is not told. Nothing is said where nobody is to be told. */
export async function checkWebhooks(
  { control }: Pick<OpenControl, 'control'>,
  record: FindingRecorder,
): Promise<readonly Finding[]> {
  const webhooks = await control.inTransaction(listWebhooks);
  const failing = webhooks.filter(({ failures, served }) => served && failures > 0);
  const unserved = webhooks.filter(({ served }) => !served);
  if (webhooks.length > 0 && failing.length + unserved.length === 0)
    return [record.ok('every webhook takes its messages')];
  return [
    ...failing.map(({ webhook, failingSince, error }) =>
      record.warning(
        `webhook ${webhook} takes no message since ${failingSince?.toISOString()} (${error})`,
        advise`Check its receiver, and webhooks in the configuration. What waits: ${command('webhooks list')}`,
      ),
    ),
    ...unserved.map(({ webhook, seenAt }) =>
      record.warning(
        `no scheduler has webhook ${webhook} in its configuration since ${seenAt.toISOString()}: it is told nothing`,
        advise`Start a scheduler with it. Where it was taken out on purpose, it is forgotten after 7 days. See: ${command('webhooks list')}`,
      ),
    ),
  ];
}

/**
 * Where the configuration differs from the pinned instants, under the ids of the data centers. Nothing before `init`.
 */
export async function checkPins({
  control,
  config,
  dataCenters,
}: Pick<OpenControl, 'control' | 'config' | 'dataCenters'>): Promise<readonly Finding[]> {
  if (!(await control.inTransaction(isControlReady))) return [];
  const differences = await listPinDifferences({ control }, config, dataCenters);
  return differences.map(({ dataCenter, key, configured, pinnedLocal }) => {
    const record = createFindingRecorder({ subject: dataCenter, title: dataCenter }, 'pinned instants');
    const other = configured === null ? 'has none' : `has ${configured.local}`;
    const found = `${key} was pinned as ${pinnedLocal ?? 'none'}, the configuration ${other}; the pinned one applies`;
    return record.warning(found, `Restore ${key} in the configuration.`, 'instants_pinned');
  });
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
  const found =
    `the rollout is mixed: ${migrated.join(', ')} on credits, ${others} not yet; an org that moves from the first ` +
    'to the second falls to its legacy number until then';
  const fix = `Move no org to ${others} yet; else give it its total without additional credits as legacy_limit.`;
  return [record.warning(found, fix)];
}
