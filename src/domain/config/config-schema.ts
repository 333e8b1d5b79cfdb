// Every key of rollout.config.yaml: what it may hold, its default, its meaning. The JSON Schema for editors and the
// reference page are made of it. Never reads the environment itself.
import * as z from 'zod';
import { WEEKDAYS, type WindowSpec } from '../windows/windows.js';
import { checkList } from './check-fields.js';
import { configFields, section } from './config-fields.js';
import type { VariableLookup } from './config-text.js';
import { APPROVAL_MODES } from './rollout-config.js';
import { webhookList } from './webhook-fields.js';

/** What rollout.config.yaml may hold. `lookup` gives environment variables for everything but the URLs. */
export function createConfigSchema(lookup: VariableLookup) {
  const { text, wholeNumber, autoOrWholeNumber, number, choice, duration, days, clockTime, date, zone, url, queueUrl } =
    configFields(lookup);
  const localInstant = text('must be a local date or time, such as 2025-10-06 or 2025-10-06T22:00');
  const guardRails = section({
    maxRaiseFactor: number(1).optional().describe('largest raise of one org: after / max(before, 1), at least 1'),
    floorOverPlan: number(1)
      .optional()
      .describe('largest floor by formula, as a multiple of the plan credits, at least 1'),
    totalChangePercent: number(0)
      .optional()
      .describe('largest change of all credits of the data center together, in percent'),
    orgsTouched: wholeNumber(0).optional().describe('limit of orgs that a plan and its follow-up may write'),
    quarantinedShare: number(0, 1)
      .prefault(0.01)
      .describe('largest share of undecidable orgs, 0 to 1; fewer than 10 orgs always pass'),
  });
  const entries = <T extends z.ZodType>(entry: T) =>
    z.array(entry).min(1, 'must have an entry, or the window never opens');
  const window = z
    .strictObject({
      from: clockTime.describe('local `HH:MM` at which work may begin'),
      to: clockTime.describe('local `HH:MM` at which it stops; at or before `from` means the next day'),
      days: entries(choice(WEEKDAYS))
        .optional()
        .describe('weekdays on which the window opens: `mon` to `sun`. Left out: every day'),
      dates: entries(date)
        .optional()
        .describe('local dates on which it opens; `days` or `dates`, not both. Left out: every day'),
      deny: z.boolean().prefault(false).describe('`true`: no work inside it; it wins over every other window'),
    })
    .refine(({ days, dates }) => days === undefined || dates === undefined, {
      error: 'may have days or dates, not both',
      params: { next: 'Write two windows.' },
    })
    .transform(
      ({ from, to, days, dates, deny }): WindowSpec => ({
        from,
        to,
        ...(days && { days }),
        ...(dates && { dates }),
        ...(deny && { deny: true as const }),
      }),
    );
  const rollout = section({
    notBefore: localInstant.optional().describe('local date or time before which a data center does not start'),
    batchSize: autoOrWholeNumber(100, 100_000)
      .prefault('auto')
      .describe('orgs per batch, 100 to 100000; `auto`: planning measures and chooses'),
    lanes: wholeNumber(1, 32).prefault(2).describe('batches at once in the active data center, 1 to 32'),
    bake: duration.optional().describe('wait after a data center is verified, such as `PT12H`'),
    bakeQuery: text('must be a text')
      .optional()
      .describe('SQL that must be true before the bake ends; as a check with `holds: [bake]`'),
    checks: checkList({ text, choice }).describe(
      'what slows or holds our writes. Left out: `probe`, `lockWaits`, `batchTime`; `[]`: nothing',
    ),
    canaryWait: duration.optional().describe('wait between the verified canary and the rest, such as `PT10M`'),
    planRetention: days(1)
      .prefault('P30D')
      .describe('how long a plan can be applied, in whole days; then it is purged'),
    windows: z.array(window).prefault([]).describe('local times at which work may run. Left out: always'),
    approval: choice(APPROVAL_MODES)
      .prefault('auto')
      .describe('`auto`, or `required`: every plan needs a second person'),
    guardRails: guardRails.describe('limits outside which a person approves a plan'),
  }).transform(({ bake = 0, canaryWait = 0, planRetention, ...rest }) => ({
    ...rest,
    bakeMs: bake,
    canaryWaitMs: canaryWait,
    planRetentionDays: planRetention,
  }));
  const reconcile = section({
    at: clockTime.prefault('00:15').describe('local `HH:MM` of the nightly run'),
    maxChanged: wholeNumber(0)
      .optional()
      .describe('limit of orgs that a nightly run may change. Left out: a tenth, at least 100'),
    maxLapsed: wholeNumber(0)
      .optional()
      .describe('limit of lapsed orgs that a nightly run may lower. Left out: 1 %, at least 10'),
    driftRetention: days(1)
      .prefault('P400D')
      .describe('how long nightly runs and what they found are kept, in whole days'),
  }).transform(({ driftRetention, ...rest }) => ({ ...rest, driftRetentionDays: driftRetention }));
  const dataCenter = z.strictObject({
    id: text(ID_RULE)
      .pipe(z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, ID_RULE))
      .refine((id) => id !== 'control', 'must not be control: its roles would be those of the control database')
      .describe('a small letter, then small letters, digits, hyphens; at most 31; not `control`'),
    zone: zone.describe('IANA name such as `Asia/Kolkata`, or `UTC`'),
    database: url.describe('URL of its cell; leads to the primary'),
    source: text('must be a text').describe('`schema.relation`, matched exactly; `"Quoted"."Names"` for dots'),
    meter: url
      .optional()
      .describe(
        'URL of the Redis of its meter, `redis://` or `rediss://`, not that of the queue. Left out: its memory',
      ),
  });
  const required = 'must list at least one data center';
  return z
    .preprocess(
      (value) => value ?? {},
      z.strictObject({
        controlDatabase: url.describe('URL of the database for what is not org data'),
        queue: queueUrl
          .optional()
          .describe(
            'URL: `redis://`, `rediss://` or a direct `postgres://`; a `worker` needs it. Left out: the control database',
          ),
        rateCard: text('must be a text').describe('path of the rate card, relative to this file'),
        rollout: rollout.describe('how the rollout of a data center runs'),
        signups: section({
          cutover: localInstant.optional().describe('local date or time from which new sign-ups start on credits'),
        }).describe('the cut-over of new sign-ups'),
        reconcile: reconcile.describe('the nightly reconciliation'),
        grandfathering: section({
          lapseGrace: days(0)
            .prefault('P30D')
            .describe('how long the floor of an org that stopped paying is kept for its return, in days'),
        })
          .transform(({ lapseGrace }) => ({ lapseGraceDays: lapseGrace }))
          .describe('the promise to paid orgs'),
        dataCenters: z
          .array(dataCenter, required)
          .min(1, required)
          .refine((entries) => entries.length <= MAX_DATA_CENTERS, {
            error: `must have at most ${MAX_DATA_CENTERS} data centers`,
            params: {
              next: 'Take out those that are done, or give the others a configuration and a control database of their own.',
            },
          })
          .meta({ maxItems: MAX_DATA_CENTERS })
          .describe(`the data centers, in the order of the rollout; at most ${MAX_DATA_CENTERS}`),
        webhooks: webhookList({ text, url }).describe('who is told what happens; only `scheduler` and `up` use it'),
      }),
    )
    .meta({ title: 'credit-rollout: rollout.config.yaml' });
}

/** Each holds connections of a scheduler, and is read by every tick. */
const MAX_DATA_CENTERS = 100;
const ID_RULE = 'must be a small letter and then up to 30 small letters, digits or hyphens';
