// The answer to a call, as a gateway gets it.
import type { CallLimits } from '../domain/meter/decide-call.js';
import { findDayLimit, sumUsed } from '../domain/meter/decide-call.js';
import {
  type AnswerHeaders,
  type DecidedCall,
  describeHeaders,
  describeRefusal,
  type RefusalBody,
} from '../domain/meter/describe-answer.js';
import type { DecidedRequest } from './call-batches.js';

export interface Admission {
  readonly allowed: boolean;
  /** For the response, allowed or refused. */
  readonly headers: AnswerHeaders;
  /** Of a refused call: send it with status 429 as `application/problem+json`. */
  readonly body: RefusalBody | undefined;
  /** When the call has ended: with its status. From 500 on its credits are given back. Only the first time counts. */
  release(status?: number): void;
}

/** What is needed to describe a decision; the zone is the data center's. */
export interface Decided {
  readonly credits: number;
  readonly limits: CallLimits;
  readonly decided: DecidedRequest;
  readonly zone: string;
}

const describeDecided = ({ credits, limits, decided, zone }: Decided): DecidedCall => ({
  decision: decided.answer.decision,
  state: decided.answer.state,
  limits,
  credits,
  day: decided.day,
  nowMs: decided.nowMs,
  zone,
  jitter: Math.random(),
});

/** Its headers are put together when they are asked for: many gateways never do. */
export class AllowedCall implements Admission, Decided {
  readonly allowed = true;
  readonly body = undefined;
  constructor(
    readonly credits: number,
    readonly limits: CallLimits,
    readonly decided: DecidedRequest,
    readonly zone: string,
    readonly release: (status?: number) => void,
  ) {}

  get headers(): AnswerHeaders {
    return describeHeaders(describeDecided(this));
  }
}

export function createRefusal(decided: Decided): Admission {
  const call = describeDecided(decided);
  return { allowed: false, headers: describeHeaders(call), body: describeRefusal(call), release: () => undefined };
}

/** The least price in credits that exceeds what is left; of a day in calls every one does. */
export function findLeastRefused({ answer: { state } }: DecidedRequest, held: CallLimits): number {
  const limit = findDayLimit(state, held);
  return state.model === 'legacy' || limit === null ? 0 : limit - sumUsed(state) + 1;
}
