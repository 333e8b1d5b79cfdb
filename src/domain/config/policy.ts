// The policy: settings of the configuration that judge a rollout, which control holds so that nobody brings their own.
// Values are as the configuration writes them. Decides where a configuration differs; reads nothing.
import { type CheckSpec, DEFAULT_CHECKS } from '../checks/check.js';
import { DAY_MS, formatIsoDuration, parseDuration } from '../time/duration.js';
import type { WindowSpec } from '../windows/windows.js';
import { APPROVAL_MODES, type RolloutConfig } from './rollout-config.js';

/** Null: none. */
export type SettingValue = string | number | null | readonly string[] | readonly WindowSpec[] | readonly CheckSpec[];

/** The value of every setting by its key in the configuration, such as `rollout.bake` or `dataCenters.eu.zone`. */
export type Policy = ReadonlyMap<string, SettingValue>;

/** The settings that every policy has, in the order of the configuration; each data center has `zone` and `source`. */
export const POLICY_SETTINGS = [
  'rollout.notBefore',
  'rollout.bake',
  'rollout.bakeQuery',
  'rollout.checks',
  'rollout.canaryWait',
  'rollout.planRetention',
  'rollout.windows',
  'rollout.approval',
  'rollout.guardRails.maxRaiseFactor',
  'rollout.guardRails.floorOverPlan',
  'rollout.guardRails.totalChangePercent',
  'rollout.guardRails.orgsTouched',
  'rollout.guardRails.quarantinedShare',
  'signups.cutover',
  'reconcile.at',
  'reconcile.maxChanged',
  'reconcile.maxLapsed',
  'reconcile.driftRetention',
  'grandfathering.lapseGrace',
] as const;
export type PolicySetting = (typeof POLICY_SETTINGS)[number];

/** The data centers in the order of the rollout. */
export const ORDER_SETTING = 'dataCenters.order';
export const zoneSetting = (id: string): string => `dataCenters.${id}.zone`;
export const sourceSetting = (id: string): string => `dataCenters.${id}.source`;

/** The first apply pins what these say; from then on each data center's own instants count. */
export const PINNED_SETTINGS: readonly string[] = ['rollout.notBefore', 'signups.cutover'];

const days = (count: number): string => formatIsoDuration(count * DAY_MS);

/** What a configuration, with its defaults, would set. */
export function toPolicy({ rollout, signups, reconcile, grandfathering, dataCenters }: RolloutConfig): Policy {
  const { guardRails } = rollout;
  const settings: Readonly<Record<PolicySetting, SettingValue>> = {
    'rollout.notBefore': rollout.notBefore ?? null,
    'rollout.bake': formatIsoDuration(rollout.bakeMs),
    'rollout.bakeQuery': rollout.bakeQuery ?? null,
    'rollout.checks': rollout.checks,
    'rollout.canaryWait': formatIsoDuration(rollout.canaryWaitMs),
    'rollout.planRetention': days(rollout.planRetentionDays),
    'rollout.windows': rollout.windows,
    'rollout.approval': rollout.approval,
    'rollout.guardRails.maxRaiseFactor': guardRails.maxRaiseFactor ?? null,
    'rollout.guardRails.floorOverPlan': guardRails.floorOverPlan ?? null,
    'rollout.guardRails.totalChangePercent': guardRails.totalChangePercent ?? null,
    'rollout.guardRails.orgsTouched': guardRails.orgsTouched ?? null,
    'rollout.guardRails.quarantinedShare': guardRails.quarantinedShare,
    'signups.cutover': signups.cutover ?? null,
    'reconcile.at': reconcile.at,
    'reconcile.maxChanged': reconcile.maxChanged ?? null,
    'reconcile.maxLapsed': reconcile.maxLapsed ?? null,
    'reconcile.driftRetention': days(reconcile.driftRetentionDays),
    'grandfathering.lapseGrace': days(grandfathering.lapseGraceDays),
  };
  return new Map<string, SettingValue>([
    ...Object.entries(settings),
    [ORDER_SETTING, dataCenters.map(({ id }) => id)],
    ...dataCenters.flatMap(({ id, zone, source }): [string, SettingValue][] => [
      [zoneSetting(id), zone],
      [sourceSetting(id), source],
    ]),
  ]);
}

export interface PolicyDifference {
  readonly name: string;
  /** As the configuration has it. */
  readonly configured: SettingValue;
  readonly inForce: SettingValue;
}

/**
 * Where a configuration writes another value than the policy. A key that it does not write never differs, nor does a
 * data center that control does not know. `pinned`: the first apply has pinned the instants.
 */
export function listPolicyDifferences(
  config: RolloutConfig,
  policy: Policy,
  pinned: boolean,
): readonly PolicyDifference[] {
  return [...toPolicy(config)].flatMap(([name, value]) => {
    const inForce = policy.get(name);
    if (inForce === undefined || !config.written.includes(name) || (pinned && PINNED_SETTINGS.includes(name)))
      return [];
    const known = name === ORDER_SETTING ? sharedIds(value, inForce) : { configured: value, compared: inForce };
    const same = name.endsWith('.source')
      ? isSameSpelling(value, inForce)
      : isSameValue(known.configured, known.compared);
    return same ? [] : [{ name, configured: value, inForce }];
  });
}

/** `public.orgs` and `"public"."orgs"` name one relation. */
const isSameSpelling = (one: SettingValue, other: SettingValue): boolean => unquote(one) === unquote(other);

const unquote = (source: SettingValue): string =>
  String(source).replaceAll(/"((?:[^"]|"")+)"|([^".]+)/gu, (_, quoted: string | undefined, plain: string | undefined) =>
    JSON.stringify(quoted?.replaceAll('""', '"') ?? plain),
  );

/** A configuration may name some of the data centers: their order among each other counts. */
function sharedIds(value: SettingValue, inForce: SettingValue) {
  const [configured, compared] = [toIds(value), toIds(inForce)];
  return {
    configured: configured.filter((id) => compared.includes(id)),
    compared: compared.filter((id) => configured.includes(id)),
  };
}

export const toIds = (value: SettingValue | undefined): readonly string[] =>
  Array.isArray(value) ? value.filter((id) => typeof id === 'string') : [];

/** Objects are the same whatever the order of their keys. */
export const isSameValue = (one: SettingValue, other: SettingValue): boolean => toText(one) === toText(other);

const toText = (value: SettingValue): string =>
  JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([one], [other]) => (one < other ? -1 : 1)))
      : part,
  );

/** The sections of a configuration that the policy has, without what an operator chooses. */
export interface PolicySections extends Pick<RolloutConfig, 'signups' | 'reconcile' | 'grandfathering'> {
  readonly rollout: Omit<RolloutConfig['rollout'], 'batchSize' | 'lanes'>;
}

/** What a configuration has that writes none of these keys. */
const DEFAULTS: PolicySections = {
  rollout: {
    bakeMs: 0,
    checks: DEFAULT_CHECKS,
    canaryWaitMs: 0,
    planRetentionDays: 30,
    windows: [],
    approval: 'required',
    guardRails: { quarantinedShare: 0.01 },
  },
  signups: {},
  reconcile: { at: '00:15', driftRetentionDays: 400 },
  grandfathering: { lapseGraceDays: 30 },
};

/** The policy as a configuration has it; what it lacks is as in `otherwise`. */
export function toSections(policy: Policy, otherwise: PolicySections = DEFAULTS): PolicySections {
  const { rollout, signups, reconcile, grandfathering } = otherwise;
  const { guardRails } = rollout;
  const choose = createChooser(policy);
  const mode = choose.text('rollout.approval', rollout.approval);
  return {
    rollout: {
      notBefore: choose.text('rollout.notBefore', rollout.notBefore),
      bakeMs: choose.duration('rollout.bake', rollout.bakeMs),
      bakeQuery: choose.text('rollout.bakeQuery', rollout.bakeQuery),
      checks: choose.list<CheckSpec>('rollout.checks', rollout.checks, 'name'),
      canaryWaitMs: choose.duration('rollout.canaryWait', rollout.canaryWaitMs),
      planRetentionDays: choose.days('rollout.planRetention', rollout.planRetentionDays),
      windows: choose.list<WindowSpec>('rollout.windows', rollout.windows, 'from'),
      approval: APPROVAL_MODES.find((known) => known === mode) ?? 'required',
      guardRails: {
        maxRaiseFactor: choose.number('rollout.guardRails.maxRaiseFactor', guardRails.maxRaiseFactor),
        floorOverPlan: choose.number('rollout.guardRails.floorOverPlan', guardRails.floorOverPlan),
        totalChangePercent: choose.number('rollout.guardRails.totalChangePercent', guardRails.totalChangePercent),
        orgsTouched: choose.number('rollout.guardRails.orgsTouched', guardRails.orgsTouched),
        quarantinedShare: choose.number('rollout.guardRails.quarantinedShare', guardRails.quarantinedShare) ?? 0,
      },
    },
    signups: { cutover: choose.text('signups.cutover', signups.cutover) },
    reconcile: {
      at: choose.text('reconcile.at', reconcile.at) ?? reconcile.at,
      maxChanged: choose.number('reconcile.maxChanged', reconcile.maxChanged),
      maxLapsed: choose.number('reconcile.maxLapsed', reconcile.maxLapsed),
      driftRetentionDays: choose.days('reconcile.driftRetention', reconcile.driftRetentionDays),
    },
    grandfathering: { lapseGraceDays: choose.days('grandfathering.lapseGrace', grandfathering.lapseGraceDays) },
  };
}

/** The configuration with the policy in the place of its own settings; what the policy lacks stays. */
export function applyPolicy(config: RolloutConfig, policy: Policy): RolloutConfig {
  const { rollout, ...sections } = toSections(policy, config);
  const { text } = createChooser(policy);
  return {
    ...config,
    ...sections,
    rollout: { ...config.rollout, ...rollout },
    dataCenters: config.dataCenters.map((dataCenter) => ({
      ...dataCenter,
      zone: text(zoneSetting(dataCenter.id), dataCenter.zone) ?? dataCenter.zone,
      source: text(sourceSetting(dataCenter.id), dataCenter.source) ?? dataCenter.source,
    })),
  };
}

function createChooser(policy: Policy) {
  const pick = <T>(name: string, otherwise: T, read: (value: SettingValue) => T): T => {
    const value = policy.get(name);
    return value === undefined ? otherwise : read(value);
  };
  const text = (name: string, otherwise: string | undefined): string | undefined =>
    pick(name, otherwise, (value) => (typeof value === 'string' ? value : undefined));
  const duration = (name: string, otherwise: number): number =>
    pick(name, otherwise, (value) => (typeof value === 'string' ? parseDuration(value) : 0));
  return {
    text,
    duration,
    days: (name: string, otherwise: number): number => duration(name, otherwise * DAY_MS) / DAY_MS,
    number: (name: string, otherwise: number | undefined): number | undefined =>
      pick(name, otherwise, (value) => (typeof value === 'number' ? value : undefined)),
    /** Entries of a list that have this key. */
    list: <T extends object>(name: string, otherwise: readonly T[], key: keyof T): readonly T[] =>
      pick(name, otherwise, (value) =>
        Array.isArray(value)
          ? value.filter((entry): entry is T => typeof entry === 'object' && Object.hasOwn(entry, key))
          : [],
      ),
  };
}

/** The order of the rollout with the data centers that a configuration adds, each after the one before it there. */
export function addToOrder(order: readonly string[], configured: readonly string[]): readonly string[] {
  return configured.reduce<readonly string[]>((known, id, index) => {
    if (known.includes(id)) return known;
    const place = index === 0 ? 0 : known.indexOf(configured[index - 1] ?? '') + 1;
    return known.toSpliced(place, 0, id);
  }, order);
}

/** For people and as an argument of `settings propose`. */
export const showSetting = (value: SettingValue): string => {
  if (value === null) return 'none';
  if (typeof value !== 'object') return String(value);
  const isList = Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'string');
  return isList ? value.join(',') : JSON.stringify(value);
};
