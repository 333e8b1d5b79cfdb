// What is told to webhooks, and the message about it. Data centers, codes and counts only: a message leaves the house.
import { showCheckNumber } from '../checks/check.js';
import { FAILURES, isFailure } from '../rollout/failure.js';
import { byCommand, formatRelease, HOLD_CODES, HOLDS, type HoldCode } from '../rollout/hold.js';

export const WEBHOOK_EVENT_KINDS = [
  'hold.began',
  'hold.ended',
  'stage.changed',
  'signups.switched',
  'signups.swept',
  'approval.needed',
  'check.loosened',
  'check.restored',
] as const;
export type WebhookEventKind = (typeof WEBHOOK_EVENT_KINDS)[number];

/** As control stored it, in the transaction of what it tells. */
export interface WebhookEvent {
  readonly eventId: bigint;
  /** Of the message: the same in every attempt and for every webhook. A UUID. */
  readonly messageId: string;
  readonly kind: WebhookEventKind;
  /** Null: a change of the policy, which belongs to none. */
  readonly dataCenter: string | null;
  /** Of a hold, or the new stage, or the kind of what waits for approval; the name of a check. */
  readonly code: string;
  /** Of the hold; the stage before; the name of what waits for approval; what a check is loosened to, or `off`. */
  readonly value: string | null;
  readonly limit: string | null;
  /** Code of why it failed; null: it did not, or it is not known. */
  readonly failure: string | null;
  /** What ends a hold: a command, or a sentence without its beginning. */
  readonly release: string | null;
  readonly needsPerson: boolean;
  readonly since: Date;
  /** When a hold ended, or a loosened check ends; null: it is held, or is no hold. */
  readonly until: Date | null;
}

/** The body of a message. `text` alone says all, for receivers that show one. */
export interface WebhookMessage {
  readonly type: WebhookEventKind;
  /** When it happened: ISO 8601, UTC. */
  readonly timestamp: string;
  readonly text: string;
  readonly data: {
    readonly event_id: string;
    readonly data_center: string | null;
    readonly code: string;
    readonly value: string | null;
    readonly limit: string | null;
    /** Code of why a rollout failed. */
    readonly failure: string | null;
    readonly needs_person: boolean;
    readonly since: string;
    readonly until: string | null;
    /** The command that goes on; it only says what to run. */
    readonly command: string | null;
    readonly link: string | null;
  };
}

/** `link`: of the configuration, for example of a dashboard. */
export function createMessage(event: WebhookEvent, link: string | null): WebhookMessage {
  const { kind, dataCenter, code, value, limit, failure, needsPerson, since, until } = event;
  const command = findCommand(event);
  const sentence = describeEvent(event);
  return {
    type: kind,
    timestamp: (kind === 'check.loosened' ? since : (until ?? since)).toISOString(),
    text: [sentence, ...(command === null ? [] : [`Next: ${command}`]), ...(link === null ? [] : [link])].join('\n'),
    data: {
      event_id: String(event.eventId),
      data_center: dataCenter,
      code,
      value,
      limit,
      failure,
      needs_person: needsPerson,
      since: since.toISOString(),
      until: until?.toISOString() ?? null,
      command,
      link,
    },
  };
}

function describeEvent(event: WebhookEvent): string {
  const { kind, dataCenter, code, value, since, until } = event;
  const place = dataCenter ?? (code === 'audit_cut' ? 'the audit' : 'the policy');
  switch (kind) {
    case 'hold.began':
      return `${place} is not moving since ${since.toISOString()}: ${describeHold(event)}.${describeWait(event)}`;
    case 'hold.ended':
      return `${place}: this is over since ${(event.until ?? since).toISOString()}: ${describeHold(event)}.`;
    case 'stage.changed':
      return `${place} is at stage ${code} now; it was at ${value}.${describeFailure(event)}`;
    case 'signups.switched':
      return `${place}: new sign-ups start on credits since ${since.toISOString()}.`;
    case 'signups.swept':
      return `${place}: every sign-up up to the cut-over is checked since ${since.toISOString()}.`;
    case 'approval.needed':
      return `${place}: ${value} (${code}) waits for the approval of a second person.`;
    case 'check.loosened':
      return `${place}: one operator loosened the check ${code} to ${showLoosened(event)} at ${since.toISOString()}; it ends by itself at ${until?.toISOString()}.`;
    case 'check.restored':
      return `${place}: the check ${code} is no longer loosened since ${(until ?? since).toISOString()}.`;
  }
}

/** The code to look up, and its sentence where this version knows it. */
function describeFailure({ failure }: WebhookEvent): string {
  if (failure === null) return '';
  return isFailure(failure) ? ` Why: ${FAILURES[failure]} (${failure}).` : ` (${failure})`;
}

const showLoosened = ({ code, value }: WebhookEvent): string =>
  value === null || value === 'off' ? 'off' : showCheckNumber(code, Number(value));

const isHoldCode = (code: string): code is HoldCode => HOLD_CODES.some((one) => one === code);

function describeHold({ code, value, limit }: WebhookEvent): string {
  // a newer version may have written it
  const meaning = isHoldCode(code) ? HOLDS[code].meaning : code;
  const details = [...(value === null ? [] : [value]), ...(limit === null ? [] : [`limit ${limit}`])];
  return details.length === 0 ? meaning : `${meaning} (${details.join(', ')})`;
}

const isCommand = (release: string): boolean => release.startsWith('credit-rollout ');

/** What happens by itself: no command is needed. */
const describeWait = ({ release }: WebhookEvent): string =>
  release === null || isCommand(release) ? '' : ` ${release.charAt(0).toUpperCase()}${release.slice(1)}.`;

function findCommand({ kind, code, value, release }: WebhookEvent): string | null {
  if (kind === 'hold.began' && release !== null && isCommand(release)) return release;
  if (kind === 'approval.needed' && value !== null) return formatRelease(byCommand('approve', value));
  return kind === 'stage.changed' && code === 'failed' ? formatRelease(byCommand('status')) : null;
}
